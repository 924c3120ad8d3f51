using System.Collections.Immutable;
using System.Text.Json;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>From a Node of the API to the small record that we keep of it.</summary>
internal static class NodeReader
{
    public static NodeObservation Read(JsonElement node, string name)
    {
        var spec = Json.Get(node, "spec"u8);
        var status = Json.Get(node, "status"u8);
        JsonElement ready = default;
        foreach (var condition in Json.List(status, "conditions"u8))
        {
            if (Json.Is(condition, "type"u8, "Ready"u8)) ready = condition;
        }

        return new NodeObservation
        {
            Name = name,
            Ready = Json.Is(ready, "status"u8, "True"u8) ? true : Json.Is(ready, "status"u8, "False"u8) ? false : null,
            ReadyReason = Json.Interned(ready, "reason"u8),
            ReadyMessage = Json.Interned(ready, "message"u8),
            Unschedulable = Json.Get(spec, "unschedulable"u8).ValueKind == JsonValueKind.True,
            Taints = Taints(spec),
            RestartsInPlace = Declares(status, "RestartAllContainersOnContainerExits"u8),
        };
    }

    public static bool Same(NodeObservation a, NodeObservation b) => a with { Taints = b.Taints } == b && a.Taints.SequenceEqual(b.Taints);

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
