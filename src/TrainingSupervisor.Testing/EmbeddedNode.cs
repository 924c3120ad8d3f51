using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing;

/// <summary>A node of an embedded cluster, and the ways in which it can fail.</summary>
public sealed class EmbeddedNode
{
    private readonly NodePlane _plane;
    private readonly Kubelet _kubelet;

    internal EmbeddedNode(NodePlane plane, Kubelet kubelet)
    {
        _plane = plane;
        _kubelet = kubelet;
    }

    /// <summary>The node's name.</summary>
    public string Name => _kubelet.Name;

    /// <summary>
    /// The machine dies: all its processes are killed, and nothing is reported any more, the Lease neither. Through a
    /// <see cref="NetworkRelay"/> not even the end of its connections is seen.
    /// </summary>
    public Task FailAsync() => _kubelet.DieAsync();

    /// <summary>A failed machine is back: its kubelet finds none of its containers and starts those that may start again.</summary>
    public Task RecoverAsync() => HealAsync();

    /// <summary>
    /// The node is cut off: its kubelet from the API server, and its Pods from what they reach through a
    /// <see cref="NetworkRelay"/> (<see cref="EmbeddedCluster.CreateRelay"/>). Its containers live on, and restart as their policy
    /// says. What Pods reach without a relay, such as each other, they still reach: they are processes of one machine.
    /// </summary>
    public Task PartitionAsync() => _kubelet.PartitionAsync();

    /// <summary>Ends <see cref="PartitionAsync"/>: the kubelet reports how things are, and carries out what was asked meanwhile.</summary>
    public Task HealAsync()
    {
        _kubelet.Heal();
        return Task.CompletedTask;
    }

    /// <summary>
    /// The kubelet's process is killed. Containers live on, but nothing restarts them, and nothing is reported, the Lease
    /// neither.
    /// </summary>
    public Task StopKubeletAsync() => _kubelet.StopProcessAsync();

    /// <summary>
    /// A new kubelet takes over what it finds. With the feature off it stops Pods that use the action RestartAllContainers,
    /// as a real one does.
    /// </summary>
    /// <param name="declareRestartAllContainers">Whether it knows the action RestartAllContainers. Default: as before.</param>
    public Task StartKubeletAsync(bool? declareRestartAllContainers = null)
    {
        _kubelet.StartProcess(declareRestartAllContainers ?? _kubelet.DeclaresRestartAll);
        return Task.CompletedTask;
    }

    /// <summary>No new Pods come here.</summary>
    public Task CordonAsync() => ChangeAsync(node => node.Ensure("spec")["unschedulable"] = true);

    /// <summary>Ends <see cref="CordonAsync"/>.</summary>
    public Task UncordonAsync() => ChangeAsync(node => node.Ensure("spec").Remove("unschedulable"));

    /// <summary>Adds a taint; with the effect NoExecute, Pods that do not tolerate it are deleted.</summary>
    /// <param name="taint">The taint.</param>
    public Task AddTaintAsync(NodeTaint taint)
    {
        ArgumentNullException.ThrowIfNull(taint);
        return ChangeAsync(node =>
        {
            var spec = node.Ensure("spec");
            if (spec.Items("taints") is not { } taints)
            {
                spec["taints"] = taints = [];
            }

            taints.Add(taint.ToJson());
        });
    }

    /// <summary>Removes all taints with a key.</summary>
    /// <param name="key">The taints' key.</param>
    public Task RemoveTaintAsync(string key) => ChangeAsync(node =>
    {
        var left = node.At("spec").Items("taints")?.OfType<JsonObject>().Where(t => t.Text("key") != key).Select(t => t.DeepClone()).ToArray() ?? [];
        node.Ensure("spec")["taints"] = new JsonArray(left);
    });

    /// <summary>The node no longer says that it knows the action RestartAllContainers, and refuses new Pods that use it.</summary>
    public Task RemoveFeature()
    {
        _kubelet.DeclaresRestartAll = false;
        return ChangeAsync(node => node.Ensure("status")["declaredFeatures"] = new JsonArray());
    }

    private Task ChangeAsync(Action<JsonObject> change)
    {
        _plane.Context.Store.Update(ResourceType.Nodes, null, Name, node =>
        {
            change(node);
            return node;
        });
        return Task.CompletedTask;
    }
}
