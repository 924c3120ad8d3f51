using System.Text.Json.Nodes;
using System.Threading.Channels;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Binds Pods to nodes. Any change of a Pod or a node makes it look again at all that wait.</summary>
internal sealed class Scheduler(NodeContext context)
{
    private readonly Preemption _preemption = new(context);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var version = context.Store.ResourceVersion;
        var watches = Task.WhenAll(
            ForwardAsync(context.Store.WatchAsync(ResourceType.Pods, version, cancellationToken), wake.Writer),
            ForwardAsync(context.Store.WatchAsync(ResourceType.Nodes, version, cancellationToken), wake.Writer));
        wake.Writer.TryWrite(true);
        try
        {
            await foreach (var _ in wake.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                ScheduleAll();
            }
        }
        finally
        {
            await watches.ConfigureAwait(false);
        }
    }

    private static async Task ForwardAsync(IAsyncEnumerable<StoreEvent> events, ChannelWriter<bool> wake)
    {
        await foreach (var change in events.ConfigureAwait(false))
        {
            // What a running Pod's kubelet writes frees nothing.
            if (change.Previous is null || change.Type == WatchType.Deleted || Matters(change.Previous, change.Object))
            {
                wake.TryWrite(true);
            }
        }
    }

    private static bool Matters(JsonObject before, JsonObject after) =>
        after.Text("kind") == "Node"
        || before.At("status").Text("phase") != after.At("status").Text("phase")
        || (string.IsNullOrEmpty(after.At("spec").Text("nodeName")) && !JsonNode.DeepEquals(before["spec"], after["spec"]));

    private static bool HasEnded(JsonObject pod) => pod.At("status").Text("phase") is "Succeeded" or "Failed";

    private void ScheduleAll()
    {
        var pods = context.Store.List(ResourceType.Pods).Items;
        var waiting = pods.Where(p => string.IsNullOrEmpty(p.At("spec").Text("nodeName"))
                && !HasEnded(p)
                && p.At("metadata").Text("deletionTimestamp") is null
                && (p.At("spec").Text("schedulerName") ?? "default-scheduler") == "default-scheduler")
            .OrderByDescending(Preemption.Priority)
            .ThenBy(p => p.At("metadata").Text("creationTimestamp"), StringComparer.Ordinal)
            .ThenBy(p => p.Name(), StringComparer.Ordinal).ToArray();
        if (waiting.Length == 0)
        {
            return;
        }

        var nodes = context.Store.List(ResourceType.Nodes).Items.Select(n => new NodeState(n)).ToDictionary(n => n.Node.Name());
        foreach (var pod in pods)
        {
            // A Pod that is being deleted still has its place, until it is gone.
            if (!HasEnded(pod) && pod.At("spec").Text("nodeName") is { Length: > 0 } name && nodes.TryGetValue(name, out var node))
            {
                node.Add(pod);
            }
        }

        foreach (var pod in waiting)
        {
            Schedule(pod, nodes);
        }
    }

    private void Schedule(JsonObject pod, Dictionary<string, NodeState> nodes)
    {
        var requests = NodeState.Requests(pod);
        var reasons = new SortedDictionary<string, int>(StringComparer.Ordinal);
        NodeState? best = null;
        foreach (var node in nodes.Values)
        {
            if (node.Rejects(pod, requests, nodes.Values) is { } reason)
            {
                reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
            }
            else if (best is null || node.Pods.Count < best.Pods.Count)
            {
                best = node;
            }
        }

        try
        {
            best?.Add(Bind(pod, best.Node.Name()));

            // A cluster without nodes is an API server for tests of clients: leave their Pods alone.
            if (best is null && nodes.Count > 0)
            {
                _preemption.TryMakePlace(pod, nodes.Values);
                Refuse(pod, nodes.Count, reasons);
            }
        }
        catch (ApiError e) when (e.Code == 404)
        {
            // Deleted meanwhile.
        }
    }

    private JsonObject Bind(JsonObject pod, string node) =>
        context.Store.Update(ResourceType.Pods, pod.Namespace() ?? "default", pod.Name(), obj =>
        {
            if (obj.Uid() == pod.Uid() && string.IsNullOrEmpty(obj.At("spec").Text("nodeName")))
            {
                obj.Ensure("spec")["nodeName"] = node;
                Disruption.Set(obj, "PodScheduled", "True", null, null, context.Time.GetUtcNow());
            }

            return obj;
        });

    private void Refuse(JsonObject pod, int count, SortedDictionary<string, int> reasons)
    {
        var message = $"0/{count} nodes are available: {string.Join(", ", reasons.Select(r => $"{r.Value} {r.Key}"))}. "
            + $"no new claims to deallocate, preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling.";
        context.Store.Update(ResourceType.Pods, pod.Namespace() ?? "default", pod.Name(), obj =>
            obj.Uid() == pod.Uid() ? Disruption.Set(obj, "PodScheduled", "False", "Unschedulable", message, context.Time.GetUtcNow()) : obj);
    }
}
