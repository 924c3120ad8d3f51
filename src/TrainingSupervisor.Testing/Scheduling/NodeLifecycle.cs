using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>
/// Notices nodes whose Lease is too old, taints them, and deletes Pods that do not tolerate a NoExecute taint (any longer).
/// </summary>
internal sealed class NodeLifecycle(NodeContext context)
{
    private const string Unreachable = "node.kubernetes.io/unreachable";
    private const string Unschedulable = "node.kubernetes.io/unschedulable";
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Pod, string Taint), DateTimeOffset> _since = [];
    private readonly Dictionary<string, DateTimeOffset> _homeless = [];

    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(
        CheckByTimeAsync(cancellationToken),
        CheckByNodeAsync(context.Store.WatchAsync(ResourceType.Nodes, context.Store.ResourceVersion, cancellationToken)));

    private async Task CheckByNodeAsync(IAsyncEnumerable<StoreEvent> events)
    {
        await foreach (var _ in events.ConfigureAwait(false))
        {
            Check();
        }
    }

    private async Task CheckByTimeAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(context.LeaseDuration / 8, context.Time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            Check();
        }
    }

    private void Check()
    {
        lock (_gate)
        {
            CheckAll();
        }
    }

    private void CheckAll()
    {
        var now = context.Time.GetUtcNow();
        var nodes = context.Store.List(ResourceType.Nodes).Items;
        foreach (var node in nodes)
        {
            if (NodeState.IsReady(node) && IsLate(node.Name(), now))
            {
                MarkUnknown(node.Name(), now);
            }
        }

        nodes = context.Store.List(ResourceType.Nodes).Items;
        var allDown = nodes.All(n => !NodeState.IsReady(n));
        foreach (var node in nodes)
        {
            // One write each and in this order, as recorded. When no node is well, nothing is evicted.
            var down = !NodeState.IsReady(node);
            SetTaint(node, Unreachable, "NoSchedule", down, now);
            if (!down || !allDown)
            {
                SetTaint(node, Unreachable, "NoExecute", down, now);
            }

            SetTaint(node, Unschedulable, "NoSchedule", node.At("spec")?["unschedulable"]?.GetValue<bool>() ?? false, now);
        }

        EvictIntolerant(now);
        CollectHomeless(nodes, now);
    }

    private bool IsLate(string node, DateTimeOffset now)
    {
        var renewed = context.Store.Get(ResourceType.Leases, "kube-node-lease", node).At("spec").Text("renewTime");
        return renewed is not null
            && now - DateTimeOffset.Parse(renewed, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal) > context.LeaseDuration;
    }

    private void MarkUnknown(string node, DateTimeOffset now)
    {
        context.Store.Update(ResourceType.Nodes, null, node, obj =>
        {
            foreach (var type in (ReadOnlySpan<string>)["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"])
            {
                Disruption.Set(obj, type, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", now);
            }

            return obj;
        });
        foreach (var pod in PodsOf(node))
        {
            Update(pod, obj => Disruption.Set(obj, "Ready", "False", null, null, now));
        }
    }

    private void SetTaint(JsonObject node, string key, string effect, bool wanted, DateTimeOffset now)
    {
        bool Is(JsonObject taint) => taint.Text("key") == key && taint.Text("effect") == effect;
        if (Tolerations.Taints(node).Any(Is) == wanted)
        {
            return;
        }

        context.Store.Update(ResourceType.Nodes, null, node.Name(), obj =>
        {
            var taints = Tolerations.Taints(obj).Where(t => !Is(t)).Select(t => t.DeepClone()).ToList();
            if (wanted)
            {
                taints.Add(new JsonObject { ["key"] = key, ["effect"] = effect, ["timeAdded"] = Json.Time(now) });
            }

            obj.Ensure("spec")["taints"] = new JsonArray([.. taints]);
            return obj;
        });
    }

    /// <summary>The garbage collector of Pods: those of nodes that are no more, after a while in which the node might come back.</summary>
    private void CollectHomeless(IReadOnlyList<JsonObject> nodes, DateTimeOffset now)
    {
        // A cluster without nodes is an API server for tests of clients: leave their Pods alone.
        var names = nodes.Select(n => n.Name()).ToHashSet();
        var homeless = names.Count == 0 ? [] : context.Store.List(ResourceType.Pods).Items
            .Where(p => p.At("spec").Text("nodeName") is { Length: > 0 } node && !names.Contains(node)).ToArray();
        foreach (var pod in homeless)
        {
            if (_homeless.TryAdd(pod.Uid()!, now) || now - _homeless[pod.Uid()!] < context.LeaseDuration)
            {
                continue;
            }

            Update(pod, obj =>
            {
                if (obj.At("status").Text("phase") is not ("Succeeded" or "Failed"))
                {
                    obj.Ensure("status")["phase"] = "Failed";
                    Disruption.Mark(obj, "DeletionByPodGC", "PodGC: node no longer exists", now);
                }

                return obj;
            });
            Delete(pod, 0);
        }

        foreach (var old in _homeless.Keys.Except(homeless.Select(p => p.Uid()!)).ToArray())
        {
            _homeless.Remove(old);
        }
    }

    private void EvictIntolerant(DateTimeOffset now)
    {
        var seen = new HashSet<(string, string)>();
        foreach (var node in context.Store.List(ResourceType.Nodes).Items)
        {
            foreach (var taint in Tolerations.Taints(node).Where(t => t.Text("effect") == "NoExecute"))
            {
                foreach (var pod in PodsOf(node.Name()))
                {
                    var key = (pod.Uid()!, taint.Text("key")!);
                    seen.Add(key);
                    _since.TryAdd(key, now);
                    if (pod.At("metadata").Text("deletionTimestamp") is null && now >= _since[key] + Tolerated(pod, taint))
                    {
                        Update(pod, obj => Disruption.Mark(obj, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now));
                        Delete(pod);
                    }
                }
            }
        }

        foreach (var old in _since.Keys.Where(k => !seen.Contains(k)).ToArray())
        {
            _since.Remove(old);
        }
    }

    private static TimeSpan Tolerated(JsonObject pod, JsonObject taint)
    {
        var matching = Tolerations.Matching(pod, taint).ToArray();
        if (matching.Length == 0)
        {
            // The API server gives every Pod this toleration; Pods that came past it are treated alike.
            return taint.Text("key") == Unreachable ? TimeSpan.FromMinutes(5) : TimeSpan.Zero;
        }

        var limits = matching.Select(t => t.Number("tolerationSeconds")).OfType<long>().ToArray();
        return limits.Length == 0 ? TimeSpan.FromDays(3650) : TimeSpan.FromSeconds(Math.Max(0, limits.Min()));
    }

    private IEnumerable<JsonObject> PodsOf(string node) =>
        context.Store.List(ResourceType.Pods).Items.Where(p => p.At("spec").Text("nodeName") == node);

    private void Update(JsonObject pod, Func<JsonObject, JsonObject> change)
    {
        try
        {
            context.Store.Update(ResourceType.Pods, pod.Namespace(), pod.Name(), obj => obj.Uid() == pod.Uid() ? change(obj) : obj);
        }
        catch (ApiError e) when (e.Code == 404)
        {
        }
    }

    private void Delete(JsonObject pod, long? grace = null)
    {
        try
        {
            context.Store.Delete(ResourceType.Pods, pod.Namespace(), pod.Name(), new(grace, pod.Uid()));
        }
        catch (ApiError e) when (e.Code is 404 or 409)
        {
        }
    }
}
