using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>
/// What is compared of a Pod: phase, reason, deletion, conditions with status and reason, and per container its state and
/// last state with exit code and reason, restart count, ready and started. Times, names, addresses, versions and the order
/// of conditions are left out.
/// </summary>
internal static class PodStates
{
    public static string Describe(string type, JsonObject pod)
    {
        var status = pod.At("status");
        var conditions = status.Items("conditions")?.OfType<JsonObject>()
            .Select(c => $"{c.Text("type")}={c.Text("status")}{Reason(c)}").Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>();
        var text = $"{status.Text("phase")}{Reason(status)}{(pod.At("metadata").Text("deletionTimestamp") is null ? "" : " deleting")} [{string.Join(' ', conditions)}]";
        foreach (var (list, mark) in (ReadOnlySpan<(string, string)>)[("initContainerStatuses", "init "), ("containerStatuses", "")])
        {
            foreach (var container in status.Items(list)?.OfType<JsonObject>() ?? [])
            {
                text += $" | {mark}{Container(container)}";
            }
        }

        return type == "DELETED" ? "gone: " + text : text;
    }

    private static string Container(JsonObject c) => string.Create(CultureInfo.InvariantCulture,
        $"{c.Text("name")} {State(c.At("state"))} #{c.Number("restartCount")} last {State(c.At("lastState"))}{Flag(c, "ready")}{Flag(c, "started")}");

    private static string State(JsonObject? state) =>
        state.At("waiting") is { } waiting ? $"waiting{Reason(waiting)}"
        : state.At("running") is not null ? "running"
        : state.At("terminated") is { } ended ? $"ended:{ended.Number("exitCode")}{Reason(ended)}"
        : "-";

    private static string Reason(JsonObject? holder) => holder.Text("reason") is { } reason ? ":" + reason : "";

    private static string Flag(JsonObject c, string name) => c[name]?.GetValue<bool>() ?? false ? " " + name : "";
}

/// <summary>What is compared of a Node: whether it is cordoned, its taints, and its conditions with status and reason.</summary>
internal static class NodeStates
{
    public static string Describe(JsonObject node)
    {
        var taints = node.At("spec").Items("taints")?.OfType<JsonObject>().Select(t => $"{t.Text("key")}:{t.Text("effect")}").Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>();
        var conditions = node.At("status").Items("conditions")?.OfType<JsonObject>()
            .Select(c => $"{c.Text("type")}={c.Text("status")}:{c.Text("reason")}").Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>();
        return $"{(node.At("spec")?["unschedulable"]?.GetValue<bool>() ?? false ? "cordoned " : "")}[{string.Join(' ', taints)}] {string.Join(' ', conditions)}";
    }
}
