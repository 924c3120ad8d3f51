using System.Runtime.CompilerServices;
using System.Text.Json;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>What a real Node showed when its kubelet was killed and came back, and when it was cordoned: read as the watch would, and judged.</summary>
public sealed class RecordedNodeTests
{
    [Theory]
    [InlineData("node-notready")]
    [InlineData("node-notready-only-node")]
    public void Node_KubeletDiesThenACordon_AsRecorded_IsLostThenWellThenDrainingThenWell(string recording)
    {
        var seen = new List<string>();
        foreach (var node in Read(recording))
        {
            var (lost, sign) = Judge(node);
            var now = lost is not null ? "lost" : sign is null ? "well" : sign.Kind.ToString();
            if (seen.Count == 0 || seen[^1] != now) seen.Add(now);
        }

        Assert.Equal(["lost", "well", "NodeDraining", "well"], seen);
    }

    [Fact]
    public void Node_LostAsRecorded_IsSaidInKubernetesWords() =>
        Assert.Equal("is not ready: NodeStatusUnknown", Judge(Read("node-notready")[0]).Lost);

    [Fact]
    public void Node_ReadyAgainAndStillTainted_IsNotCalledLostForAnOldTaint()
    {
        var node = Read("node-notready").Single(n => n.Ready == true && n.Taints.Length == 2);

        Assert.Contains("node.kubernetes.io/unreachable:NoExecute", node.Taints);
        Assert.Equal((null, null), Judge(node));
    }

    private static (string? Lost, FoundSign? Sign) Judge(NodeObservation node)
    {
        var spec = Gang.Create("job").AddRole("w", r => r.WithImage("i").WithCommand("c").WithAgentInImage("/a")).Build();
        var now = DateTimeOffset.UnixEpoch;
        return (NodeHealth.Evidence(GangMachine.Start(spec, 1, restartsInPlace: true, now), node), NodeSigns.Of(spec, node));
    }

    private static List<NodeObservation> Read(string recording)
    {
        var nodes = new List<NodeObservation>();
        foreach (var line in File.ReadLines(Path.Combine(Path.GetDirectoryName(Here())!, "../TrainingSupervisor.Testing.Tests/Recordings/Nodes", recording + ".jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("object", out var node)) nodes.Add(NodeReader.Read(node, "node-1"));
        }

        return nodes;
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
