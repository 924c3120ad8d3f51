using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>From a Node of the API to the small record that we keep of it.</summary>
internal static class NodeReader
{
    /// <param name="node">The object.</param>
    /// <param name="name">Its name.</param>
    /// <param name="before">What is known of it, whose labels are kept where they are the same; null if nothing is.</param>
    public static NodeObservation Read(JsonElement node, string name, NodeObservation? before = null)
    {
        var meta = Json.Get(node, "metadata"u8);
        var spec = Json.Get(node, "spec"u8);
        var status = Json.Get(node, "status"u8);
        JsonElement ready = default;
        var conditions = ImmutableArray<NodeCondition>.Empty;
        foreach (var condition in Json.List(status, "conditions"u8))
        {
            if (Json.Is(condition, "type"u8, "Ready"u8)) ready = condition;
            else if (Json.Is(condition, "status"u8, "True"u8)) conditions = conditions.Add(Condition(condition));
            else if (Json.Is(condition, "status"u8, "False"u8)) conditions = conditions.Add(Condition(condition) with { Status = false });
        }

        return new NodeObservation
        {
            Name = name,
            Ready = Json.Is(ready, "status"u8, "True"u8) ? true : Json.Is(ready, "status"u8, "False"u8) ? false : null,
            ReadyReason = Json.Interned(ready, "reason"u8),
            ReadyMessage = Json.Interned(ready, "message"u8),
            Unschedulable = Json.Get(spec, "unschedulable"u8).ValueKind == JsonValueKind.True,
            Taints = Taints(spec),
            Labels = Labels(Json.Get(meta, "labels"u8), before?.Labels ?? ImmutableDictionary<string, string>.Empty),
            Conditions = conditions,
            Reported = Json.Text(Json.Get(meta, "annotations"u8), Kubernetes.Labels.FailureUtf8),
            RestartsInPlace = Declares(status, "RestartAllContainersOnContainerExits"u8),
        };
    }

    /// <summary>Whether two records say the same. A heartbeat time is in neither, so a Node that only says that it lives stays as it was.</summary>
    public static bool Same(NodeObservation a, NodeObservation b) =>
        a with { Taints = b.Taints, Labels = b.Labels, Conditions = b.Conditions } == b
        && a.Taints.SequenceEqual(b.Taints)
        && a.Conditions.SequenceEqual(b.Conditions)
        && (ReferenceEquals(a.Labels, b.Labels) || (a.Labels.Count == b.Labels.Count && a.Labels.All(l => b.Labels.TryGetValue(l.Key, out var value) && value == l.Value)));

    private static NodeCondition Condition(JsonElement condition) => new(
        Json.Interned(condition, "type"u8) ?? "", Json.Interned(condition, "reason"u8) ?? "", Json.Interned(condition, "message"u8) ?? "");

    /// <summary>Labels hardly ever change, and a large cluster has hundreds of thousands of them: those that are known are not made again.</summary>
    private static ImmutableDictionary<string, string> Labels(JsonElement labels, ImmutableDictionary<string, string> before)
    {
        if (labels.ValueKind != JsonValueKind.Object) return ImmutableDictionary<string, string>.Empty;
        var (count, same) = (0, true);
        foreach (var label in labels.EnumerateObject())
        {
            count++;
            same = same && before.TryGetValue(Key(label), out var known) && label.Value.ValueKind == JsonValueKind.String && label.Value.ValueEquals(known);
        }

        if (same && count == before.Count) return before;
        var read = ImmutableDictionary.CreateBuilder<string, string>();
        foreach (var label in labels.EnumerateObject())
        {
            if (Json.Interned(label.Value) is { } value) read[Key(label)] = value;
        }

        return read.ToImmutable();
    }

    private static string Key(JsonProperty label) => Strings.Intern(JsonMarshal.GetRawUtf8PropertyName(label)) ?? label.Name;

    private static ImmutableArray<string> Taints(JsonElement spec)
    {
        var taints = ImmutableArray<string>.Empty;
        foreach (var taint in Json.List(spec, "taints"u8))
        {
            taints = taints.Add($"{Json.Text(taint, "key"u8)}:{Json.Text(taint, "effect"u8)}");
        }

        return taints;
    }

    private static bool Declares(JsonElement status, ReadOnlySpan<byte> feature)
    {
        foreach (var declared in Json.List(status, "declaredFeatures"u8))
        {
            if (declared.ValueKind == JsonValueKind.String && declared.ValueEquals(feature)) return true;
        }

        return false;
    }
}
