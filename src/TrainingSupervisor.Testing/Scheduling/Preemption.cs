using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Makes place for a Pod by deleting Pods of lower priority.</summary>
internal sealed class Preemption(NodeContext context)
{
    public static long Priority(JsonObject pod) => pod.At("spec").Number("priority") ?? 0;

    /// <summary>Deletes the fewest Pods that must go, on one node; true when the Pod only has to wait for that.</summary>
    public bool TryMakePlace(JsonObject pod, IReadOnlyCollection<NodeState> nodes)
    {
        if (pod.At("spec").Text("preemptionPolicy") == "Never" || nodes.All(n => n.Pods.All(p => Priority(p) >= Priority(pod))))
        {
            return false;
        }

        // Its victims are still going.
        if (pod.At("status").Text("nominatedNodeName") is { Length: > 0 } nominated
            && nodes.FirstOrDefault(n => n.Node.Name() == nominated) is { } place && place.Pods.Any(p => IsLeaving(p) && Priority(p) < Priority(pod)))
        {
            return true;
        }

        var (node, victims) = nodes.Select(n => (n, VictimsOn(n, pod, nodes))).Where(v => v.Item2 is not null)
            .OrderBy(v => v.Item2!.Count).FirstOrDefault();
        if (victims is null)
        {
            return false;
        }

        context.Store.Update(ResourceType.Pods, pod.Namespace(), pod.Name(), obj =>
        {
            obj.Ensure("status")["nominatedNodeName"] = node.Node.Name();
            return obj;
        });
        foreach (var victim in victims.Where(v => !IsLeaving(v)))
        {
            Evict(pod, victim);
        }

        return true;
    }

    private void Evict(JsonObject pod, JsonObject victim)
    {
        try
        {
            context.Store.Update(ResourceType.Pods, victim.Namespace(), victim.Name(), obj => Disruption.Mark(
                obj, "PreemptionByScheduler", $"{pod.At("spec").Text("schedulerName") ?? "default-scheduler"}: preempting to accommodate a higher priority pod",
                context.Time.GetUtcNow()));
            context.Store.Delete(ResourceType.Pods, victim.Namespace(), victim.Name(), new(Uid: victim.Uid()));
        }
        catch (ApiError e) when (e.Code is 404 or 409)
        {
            // It went by itself.
        }
    }

    private static List<JsonObject>? VictimsOn(NodeState node, JsonObject pod, IReadOnlyCollection<NodeState> nodes)
    {
        var victims = new List<JsonObject>();
        var left = new List<JsonObject>(node.Pods);
        var requests = NodeState.Requests(pod);
        foreach (var candidate in node.Pods.Where(p => Priority(p) < Priority(pod)).OrderBy(Priority).ToArray())
        {
            left.Remove(candidate);
            victims.Add(candidate);
            var trial = new NodeState(node.Node);
            left.ForEach(trial.Add);
            if (trial.Rejects(pod, requests, [.. nodes.Where(n => n != node), trial]) is null)
            {
                return victims;
            }
        }

        return null;
    }

    private static bool IsLeaving(JsonObject pod) => pod.At("metadata").Text("deletionTimestamp") is not null;
}
