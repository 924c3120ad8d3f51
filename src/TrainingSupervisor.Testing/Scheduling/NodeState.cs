using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>A node with what its Pods use of it.</summary>
internal sealed class NodeState(JsonObject node)
{
    private readonly Dictionary<string, decimal> _used = [];

    public JsonObject Node { get; } = node;

    public List<JsonObject> Pods { get; } = [];

    public void Add(JsonObject pod)
    {
        Pods.Add(pod);
        foreach (var (resource, amount) in Requests(pod))
        {
            _used[resource] = _used.GetValueOrDefault(resource) + amount;
        }
    }

    /// <summary>Why the Pod does not fit here, in the scheduler's words; null when it does.</summary>
    public string? Rejects(JsonObject pod, Dictionary<string, decimal> requests, IEnumerable<NodeState> all)
    {
        if (Node.At("spec")?["unschedulable"]?.GetValue<bool>() ?? false)
        {
            return "node(s) were unschedulable";
        }

        if (Tolerations.Taints(Node).FirstOrDefault(t => t.Text("effect") != "PreferNoSchedule" && !Tolerations.Matching(pod, t).Any()) is { } taint)
        {
            return $"node(s) had untolerated taint(s) {{{taint.Text("key")}: {taint.Text("value")}}}";
        }

        if (!IsReady(Node))
        {
            return "node(s) were not ready";
        }

        if (RestartRules.NeedsFeature(pod)
            && !(Node.At("status").Items("declaredFeatures")?.Any(f => f!.GetValue<string>() == RestartRules.Feature) ?? false))
        {
            return "node(s) didn't match Pod's required features";
        }

        if (!MatchesAffinity(pod))
        {
            return "node(s) didn't match Pod's node affinity/selector";
        }

        var capacity = Node.At("status").At("allocatable");
        if (Pods.Count + 1 > Quantity.Parse(capacity?["pods"]))
        {
            return "Too many pods";
        }

        foreach (var (resource, amount) in requests)
        {
            if (amount > 0 && _used.GetValueOrDefault(resource) + amount > Quantity.Parse(capacity?[resource]))
            {
                return $"Insufficient {resource}";
            }
        }

        return ViolatesAntiAffinity(pod, all) ? "node(s) didn't match pod anti-affinity rules" : null;
    }

    public static bool IsReady(JsonObject node) =>
        node.At("status").Items("conditions")?.OfType<JsonObject>().Any(c => c.Text("type") == "Ready" && c.Text("status") == "True") ?? false;

    public static Dictionary<string, decimal> Requests(JsonObject pod)
    {
        var result = new Dictionary<string, decimal>();
        foreach (var container in pod.At("spec").Items("containers")?.OfType<JsonObject>() ?? [])
        {
            Accumulate(container, (resource, amount) => result[resource] = result.GetValueOrDefault(resource) + amount);
        }

        foreach (var container in pod.At("spec").Items("initContainers")?.OfType<JsonObject>() ?? [])
        {
            var sidecar = container.Text("restartPolicy") == "Always";
            Accumulate(container, (resource, amount) => result[resource] = sidecar
                ? result.GetValueOrDefault(resource) + amount
                : Math.Max(result.GetValueOrDefault(resource), amount));
        }

        return result;
    }

    private static void Accumulate(JsonObject container, Action<string, decimal> add)
    {
        // An extended resource may be given as a limit alone, which is then also the request.
        var resources = container.At("resources");
        var requests = resources.At("limits")?.ToDictionary(p => p.Key, p => p.Value) ?? [];
        foreach (var (resource, amount) in resources.At("requests") ?? [])
        {
            requests[resource] = amount;
        }

        foreach (var (resource, amount) in requests)
        {
            add(resource, Quantity.Parse(amount));
        }
    }

    private bool MatchesAffinity(JsonObject pod)
    {
        var labels = Node.At("metadata").At("labels");
        if (pod.At("spec").At("nodeSelector")?.Any(p => labels.Text(p.Key) != p.Value?.GetValue<string>()) ?? false)
        {
            return false;
        }

        var terms = pod.At("spec").At("affinity").At("nodeAffinity").At("requiredDuringSchedulingIgnoredDuringExecution").Items("nodeSelectorTerms");
        var fields = new JsonObject { ["metadata.name"] = Node.Name() };
        return terms?.OfType<JsonObject>().Any(t =>
            (t.Items("matchExpressions") is not null || t.Items("matchFields") is not null)
            && LabelSelector.MatchesAll(t.Items("matchExpressions"), labels)
            && LabelSelector.MatchesAll(t.Items("matchFields"), fields)) ?? true;
    }

    private bool ViolatesAntiAffinity(JsonObject pod, IEnumerable<NodeState> all)
    {
        foreach (var other in all)
        {
            foreach (var placed in other.Pods)
            {
                if (Terms(pod).Any(t => SameTopology(t, other) && Selects(t, pod, placed))
                    || Terms(placed).Any(t => SameTopology(t, other) && Selects(t, placed, pod)))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool SameTopology(JsonObject term, NodeState other)
    {
        var key = term.Text("topologyKey")!;
        var here = Node.At("metadata").At("labels").Text(key);
        return here is not null && here == other.Node.At("metadata").At("labels").Text(key);
    }

    private static IEnumerable<JsonObject> Terms(JsonObject pod) =>
        pod.At("spec").At("affinity").At("podAntiAffinity").Items("requiredDuringSchedulingIgnoredDuringExecution")?.OfType<JsonObject>() ?? [];

    private static bool Selects(JsonObject term, JsonObject owner, JsonObject other)
    {
        var namespaces = term.Items("namespaces") is { Count: > 0 } given
            ? given.Select(n => n!.GetValue<string>())
            : [owner.Namespace() ?? "default"];
        return namespaces.Contains(other.Namespace() ?? "default") && LabelSelector.Matches(term.At("labelSelector"), other.At("metadata").At("labels"));
    }
}
