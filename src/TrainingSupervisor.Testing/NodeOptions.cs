using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing;

/// <summary>What an embedded node has to offer.</summary>
public sealed class NodeOptions
{
    /// <summary>Labels beside the usual ones (hostname, os, arch).</summary>
    public IDictionary<string, string> Labels { get; } = new Dictionary<string, string>();

    /// <summary>The node's taints.</summary>
    public IList<NodeTaint> Taints { get; } = [];

    /// <summary>Extended resources such as <c>nvidia.com/gpu</c>, as Kubernetes quantities.</summary>
    public IDictionary<string, string> Resources { get; } = new Dictionary<string, string>();

    /// <summary>How many Pods fit. Default: 110.</summary>
    public int Pods { get; set; } = 110;

    /// <summary>Processor capacity, as a quantity. Default: 64.</summary>
    public string Cpu { get; set; } = "64";

    /// <summary>Memory capacity, as a quantity. Default: 256Gi.</summary>
    public string Memory { get; set; } = "256Gi";

    /// <summary>Whether the node says that it knows the action RestartAllContainers. Default: true.</summary>
    public bool DeclareRestartAllContainers { get; set; } = true;
}

/// <summary>A taint. <paramref name="Effect"/> is NoSchedule, PreferNoSchedule or NoExecute.</summary>
/// <param name="Key">The taint's key.</param>
/// <param name="Value">The taint's value; may be empty.</param>
/// <param name="Effect">What it does to Pods that do not tolerate it.</param>
public sealed record NodeTaint(string Key, string Value, string Effect)
{
    internal JsonObject ToJson() => new() { ["key"] = Key, ["value"] = Value, ["effect"] = Effect };
}
