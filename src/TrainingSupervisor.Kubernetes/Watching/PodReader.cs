using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>From a Pod of the API to the small record that we keep of it.</summary>
internal static class PodReader
{
    /// <summary>Null for a Pod that the gang record with this UID does not own: what is left of an older gang of the same name.</summary>
    public static PodObservation? Read(JsonElement pod, string name, string uid, string ownerUid)
    {
        var meta = Json.Get(pod, "metadata"u8);
        if (!IsOwned(meta, ownerUid)) return null;
        var labels = Json.Get(meta, "labels"u8);
        var incarnation = int.TryParse(Json.Interned(labels, IncarnationLabel), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0;
        return Read(pod, meta, name, uid) with
        {
            Role = Json.Interned(labels, RoleLabel) ?? "",
            Worker = WorkerId.TryParse(Json.Interned(labels, WorkerLabel)),
            Incarnation = incarnation,
        };
    }

    /// <summary>A Pod that something else has made for this role: whoever owns it, the role's selector has chosen it.</summary>
    public static PodObservation ReadAdopted(JsonElement pod, string name, string uid, string role, ReadOnlySpan<byte> indexLabel)
    {
        var meta = Json.Get(pod, "metadata"u8);
        var index = Json.Interned(Json.Get(Json.Get(meta, "labels"u8), indexLabel));
        return Read(pod, meta, name, uid) with
        {
            Role = role,
            Worker = int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? new WorkerId(role, n) : null,
        };
    }

    private static PodObservation Read(JsonElement pod, JsonElement meta, string name, string uid)
    {
        var spec = Json.Get(pod, "spec"u8);
        var status = Json.Get(pod, "status"u8);
        JsonElement unschedulable = default, disruption = default;
        bool ready = false, restarting = false;
        foreach (var condition in Json.List(status, "conditions"u8))
        {
            var isTrue = Json.Is(condition, "status"u8, "True"u8);
            if (Json.Is(condition, "type"u8, "Ready"u8)) ready = isTrue;
            else if (Json.Is(condition, "type"u8, "AllContainersRestarting"u8)) restarting = isTrue;
            else if (isTrue && Json.Is(condition, "type"u8, "DisruptionTarget"u8)) disruption = condition;
            else if (Json.Is(condition, "type"u8, "PodScheduled"u8) && Json.Is(condition, "status"u8, "False"u8)) unschedulable = condition;
        }

        return new PodObservation
        {
            Name = name,
            Uid = uid,
            Role = "",
            Node = Json.Interned(spec, "nodeName"u8),
            Address = Json.Interned(status, "podIP"u8),
            Phase = Phase(Json.Interned(status, "phase"u8)),
            Reason = Json.Interned(status, "reason"u8),
            Message = Json.Interned(status, "message"u8),
            Ready = ready,
            Deleting = Json.Get(meta, "deletionTimestamp"u8).ValueKind == JsonValueKind.String,
            AllContainersRestarting = restarting,
            RestartsInPlace = HasRestartRule(Json.List(spec, "containers"u8)) || HasRestartRule(Json.List(spec, "initContainers"u8)),
            WorkerContainer = WorkerContainer(spec),
            MemoryLimits = MemoryLimits(spec),
            MemoryLimit = MemoryLimit(spec),
            UnschedulableReason = Json.Interned(unschedulable, "reason"u8),
            UnschedulableMessage = Json.Interned(unschedulable, "message"u8),
            DisruptionReason = Json.Interned(disruption, "reason"u8),
            DisruptionMessage = Json.Interned(disruption, "message"u8),
            Reported = Json.Text(Json.Get(meta, "annotations"u8), Labels.FailureUtf8),
            Created = Json.Time(meta, "creationTimestamp"u8),
            Containers = Containers(status),
        };
    }

    /// <summary>Whether two records say the same: then the change in the API was about nothing that we keep.</summary>
    public static bool Same(PodObservation a, PodObservation b) =>
        a with { Containers = b.Containers, MemoryLimits = b.MemoryLimits } == b
        && a.Containers.SequenceEqual(b.Containers) && a.MemoryLimits.SequenceEqual(b.MemoryLimits);

    private static ReadOnlySpan<byte> RoleLabel => "training-supervisor.dev/role"u8;

    private static ReadOnlySpan<byte> WorkerLabel => "training-supervisor.dev/worker"u8;

    private static ReadOnlySpan<byte> IncarnationLabel => "training-supervisor.dev/incarnation"u8;

    private static bool IsOwned(JsonElement meta, string ownerUid)
    {
        foreach (var owner in Json.List(meta, "ownerReferences"u8))
        {
            if (Json.Get(owner, "uid"u8) is { ValueKind: JsonValueKind.String } uid && uid.ValueEquals(ownerUid)) return true;
        }

        return false;
    }

    /// <summary>
    /// The one that is told of the gang; the first where none is. Its place alone does not tell: a service mesh may put its proxy before all
    /// others (Istio's holdApplicationUntilProxyStarts).
    /// </summary>
    private static string? WorkerContainer(JsonElement spec)
    {
        string? first = null;
        foreach (var container in Json.List(spec, "containers"u8))
        {
            first ??= Json.Interned(container, "name"u8);
            foreach (var variable in Json.List(container, "env"u8))
            {
                if (Json.Is(variable, "name"u8, "GANG_DIR"u8)) return Json.Interned(container, "name"u8);
            }
        }

        return first;
    }

    private static ImmutableArray<ContainerMemory> MemoryLimits(JsonElement spec)
    {
        var limits = ImmutableArray<ContainerMemory>.Empty;
        foreach (var container in Json.List(spec, "containers"u8)) Add(container);
        foreach (var container in Json.List(spec, "initContainers"u8)) Add(container);
        return limits;

        void Add(JsonElement container)
        {
            if (MemoryLimit(container) is { } limit) limits = limits.Add(new ContainerMemory(Json.Interned(container, "name"u8) ?? "", limit));
        }
    }

    /// <summary>Of a container, or of a whole Pod.</summary>
    private static string? MemoryLimit(JsonElement of) => Json.Interned(Json.Get(Json.Get(of, "resources"u8), "limits"u8), "memory"u8);

    private static bool HasRestartRule(JsonElement.ArrayEnumerator containers)
    {
        foreach (var container in containers)
        {
            foreach (var rule in Json.List(container, "restartPolicyRules"u8))
            {
                if (Json.Is(rule, "action"u8, "RestartAllContainers"u8)) return true;
            }
        }

        return false;
    }

    private static PodPhase Phase(string? text) => text switch
    {
        "Pending" or null => PodPhase.Pending,
        "Running" => PodPhase.Running,
        "Succeeded" => PodPhase.Succeeded,
        "Failed" => PodPhase.Failed,
        _ => PodPhase.Unknown,
    };

    private static ImmutableArray<ContainerObservation> Containers(JsonElement status)
    {
        var containers = ImmutableArray.CreateBuilder<ContainerObservation>(2);
        foreach (var container in Json.List(status, "initContainerStatuses"u8)) containers.Add(Container(container, initial: true));
        foreach (var container in Json.List(status, "containerStatuses"u8)) containers.Add(Container(container, initial: false));
        return containers.DrainToImmutable();
    }

    private static ContainerObservation Container(JsonElement status, bool initial)
    {
        var state = Json.Get(status, "state"u8);
        var terminated = Json.Get(state, "terminated"u8);
        var last = Json.Get(Json.Get(status, "lastState"u8), "terminated"u8);
        var ended = terminated.ValueKind == JsonValueKind.Object;
        var told = ended ? terminated : Json.Get(state, "waiting"u8);
        return new ContainerObservation
        {
            Name = Json.Interned(status, "name"u8) ?? "",
            Initial = initial,
            State = ended ? ContainerState.Terminated
                : Json.Get(state, "running"u8).ValueKind == JsonValueKind.Object ? ContainerState.Running
                : ContainerState.Waiting,
            Reason = Json.Interned(told, "reason"u8),
            Message = Json.Interned(told, "message"u8),
            ExitCode = Json.Number(terminated, "exitCode"u8),
            Signal = Json.Number(terminated, "signal"u8),
            RestartCount = Json.Number(status, "restartCount"u8),
            LastReason = Json.Interned(last, "reason"u8),
            LastExitCode = last.ValueKind == JsonValueKind.Object ? Json.Number(last, "exitCode"u8) : null,
        };
    }
}
