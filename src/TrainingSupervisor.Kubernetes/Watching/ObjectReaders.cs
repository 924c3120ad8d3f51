using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>From an object of the API to the small record that we keep of it.</summary>
internal static class ObjectReaders
{
    public static PodObservation Pod(JsonElement pod)
    {
        var meta = pod.GetProperty("metadata");
        var status = Get(pod, "status");
        var conditions = List(status, "conditions").Select(c => (Type: Text(c, "type"), Status: Text(c, "status"), Reason: Text(c, "reason"), Message: Text(c, "message"))).ToList();
        var unschedulable = conditions.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" });
        var disruption = conditions.FirstOrDefault(c => c is { Type: "DisruptionTarget", Status: "True" });
        return new PodObservation
        {
            Name = Text(meta, "name")!,
            Uid = Text(meta, "uid") ?? "",
            Role = Label(meta, Labels.Role) ?? "",
            Worker = WorkerId.TryParse(Label(meta, Labels.Worker)),
            Incarnation = int.TryParse(Label(meta, Labels.Incarnation), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0,
            Node = Text(Get(pod, "spec"), "nodeName"),
            Address = Text(status, "podIP"),
            Phase = Enum.TryParse<PodPhase>(Text(status, "phase"), out var phase) ? phase : PodPhase.Unknown,
            Reason = Text(status, "reason"),
            Message = Text(status, "message"),
            Ready = conditions.Any(c => c is { Type: "Ready", Status: "True" }),
            Deleting = Text(meta, "deletionTimestamp") is not null,
            AllContainersRestarting = conditions.Any(c => c is { Type: "AllContainersRestarting", Status: "True" }),
            RestartsInPlace = List(Get(pod, "spec"), "containers").Any(c => List(c, "restartPolicyRules").Any(r => Text(r, "action") == "RestartAllContainers")),
            UnschedulableReason = unschedulable.Reason,
            UnschedulableMessage = unschedulable.Message,
            DisruptionReason = disruption.Reason,
            DisruptionMessage = disruption.Message,
            Created = Text(meta, "creationTimestamp") is { } created ? DateTimeOffset.Parse(created, CultureInfo.InvariantCulture) : default,
            Containers =
            [
                .. List(status, "initContainerStatuses").Select(c => Container(c, initial: true)),
                .. List(status, "containerStatuses").Select(c => Container(c, initial: false)),
            ],
        };
    }

    public static NodeObservation Node(JsonElement node)
    {
        var status = Get(node, "status");
        var ready = List(status, "conditions").FirstOrDefault(c => Text(c, "type") == "Ready");
        return new NodeObservation
        {
            Name = Text(node.GetProperty("metadata"), "name")!,
            Ready = Text(ready, "status") switch { "True" => true, "False" => false, _ => null },
            ReadyReason = Text(ready, "reason"),
            ReadyMessage = Text(ready, "message"),
            Unschedulable = Get(Get(node, "spec"), "unschedulable").ValueKind == JsonValueKind.True,
            Taints = [.. List(Get(node, "spec"), "taints").Select(t => $"{Text(t, "key")}:{Text(t, "effect")}")],
            RestartsInPlace = List(status, "declaredFeatures").Any(f => f.GetString() == "RestartAllContainersOnContainerExits"),
        };
    }

    public static LeaseObservation Lease(JsonElement lease)
    {
        var spec = Get(lease, "spec");
        var duration = Get(spec, "leaseDurationSeconds");
        return new LeaseObservation(
            Text(lease.GetProperty("metadata"), "name")!,
            Text(spec, "renewTime") ?? "",
            TimeSpan.FromSeconds(duration.ValueKind == JsonValueKind.Number ? duration.GetInt32() : 40));
    }

    public static string? Text(JsonElement element, string name) =>
        Get(element, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static ContainerObservation Container(JsonElement status, bool initial)
    {
        var state = Get(status, "state");
        var terminated = Get(state, "terminated");
        var waiting = Get(state, "waiting");
        var last = Get(Get(status, "lastState"), "terminated");
        var ended = terminated.ValueKind == JsonValueKind.Object;
        return new ContainerObservation
        {
            Name = Text(status, "name") ?? "",
            Initial = initial,
            State = ended ? ContainerState.Terminated : Get(state, "running").ValueKind == JsonValueKind.Object ? ContainerState.Running : ContainerState.Waiting,
            Reason = ended ? Text(terminated, "reason") : Text(waiting, "reason"),
            Message = ended ? Text(terminated, "message") : Text(waiting, "message"),
            ExitCode = Number(terminated, "exitCode"),
            Signal = Number(terminated, "signal"),
            RestartCount = Number(status, "restartCount"),
            LastReason = Text(last, "reason"),
            LastExitCode = last.ValueKind == JsonValueKind.Object ? Number(last, "exitCode") : null,
        };
    }

    private static JsonElement Get(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static JsonElement.ArrayEnumerator List(JsonElement element, string name) =>
        Get(element, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : default;

    private static int Number(JsonElement element, string name) =>
        Get(element, name) is { ValueKind: JsonValueKind.Number } number ? number.GetInt32() : 0;

    private static string? Label(JsonElement meta, string name) => Text(Get(meta, "labels"), name);
}

/// <summary>A node's Lease. The time is compared, never read: the node's clock may be wrong.</summary>
internal sealed record LeaseObservation(string Name, string RenewTime, TimeSpan Duration);
