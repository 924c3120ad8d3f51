using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>What a worker knows of its Pod, and the status that follows from it.</summary>
internal sealed class PodStatus(JsonObject pod, IReadOnlyList<ContainerSlot> init, IReadOnlyList<ContainerSlot> main)
{
    private static readonly string[] s_owned =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "AllContainersRestarting"];

    private readonly bool _hasRule = RestartRules.NeedsFeature(pod);

    public string? Address { get; set; }

    public required string HostAddress { get; init; }

    public required string StartTime { get; init; }

    public bool SandboxReady { get; set; }

    /// <summary>True once all init containers were through; a RestartAllContainers does not take it back.</summary>
    public bool Initialized { get; set; }

    public bool RestartingAll { get; set; }

    /// <summary>The kubelet does not know the action (any more) and leaves its condition alone.</summary>
    public bool FeatureOff { get; set; }

    /// <summary>Succeeded or Failed once it is clear how the Pod ends; the phase itself follows later.</summary>
    public string? End { get; set; }

    public bool PhaseEnded { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    public void Write(JsonObject obj, DateTimeOffset now)
    {
        var before = obj.At("status");
        var generation = obj.At("metadata").Number("generation") ?? 1;
        var status = new JsonObject
        {
            ["observedGeneration"] = generation,
            ["phase"] = PhaseEnded ? End : Phase(),
            ["conditions"] = Conditions(before, generation, Json.Time(now)),
        };
        Set(status, "reason", Reason);
        Set(status, "message", Message);
        status["hostIP"] = HostAddress;
        status["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = HostAddress });
        if (Address is not null)
        {
            status["podIP"] = Address;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = Address });
        }

        status["startTime"] = StartTime;
        if (init.Count > 0)
        {
            status["initContainerStatuses"] = new JsonArray([.. init.Select(Container)]);
        }

        status["containerStatuses"] = new JsonArray([.. main.OrderBy(c => c.Name, StringComparer.Ordinal).Select(Container)]);
        status["qosClass"] = before.Text("qosClass") ?? "BestEffort";
        obj["status"] = status;
    }

    /// <summary>As recorded: a kubelet that refuses a running Pod leaves nothing in its status but one condition.</summary>
    public static void Forget(JsonObject obj)
    {
        var status = obj.Ensure("status");
        var kept = status.Items("conditions")?.OfType<JsonObject>().Where(c => c.Text("type") == "AllContainersRestarting").Select(c => c.DeepClone()).ToArray() ?? [];
        obj["status"] = new JsonObject
        {
            ["observedGeneration"] = status["observedGeneration"]?.DeepClone(),
            ["phase"] = status["phase"]?.DeepClone(),
            ["conditions"] = new JsonArray(kept),
            ["qosClass"] = status["qosClass"]?.DeepClone(),
            ["startTime"] = status["startTime"]?.DeepClone(),
        };
    }

    private string Phase()
    {
        // A container that could not be started has not run.
        if (main.Any(c => c.LastState is null && (c.State.At("waiting") is not null || c.Terminated.Text("reason") == "StartError")))
        {
            return "Pending";
        }

        // As recorded: on its way back from RestartAllContainers a Pod is Pending while an init container or a sidecar
        // runs and nothing else does.
        var waiting = main.All(c => c.State.At("waiting").Text("reason") == "PodInitializing");
        return waiting && init.Any(c => c.IsRunning) ? "Pending" : "Running";
    }

    private JsonArray Conditions(JsonObject? before, long generation, string now)
    {
        var result = new JsonArray();
        var old = before.Items("conditions")?.OfType<JsonObject>().ToArray() ?? [];

        void Add(string type, bool value, string? reason = null, string? message = null, bool observed = true)
        {
            var text = value ? "True" : "False";
            var condition = new JsonObject { ["type"] = type };
            if (observed)
            {
                condition["observedGeneration"] = generation;
            }

            var previous = old.FirstOrDefault(c => c.Text("type") == type);
            condition["status"] = text;
            condition["lastProbeTime"] = null;
            condition["lastTransitionTime"] = previous.Text("status") == text ? previous.Text("lastTransitionTime") : now;
            Set(condition, "reason", reason);
            Set(condition, "message", message);
            result.Add(condition);
        }

        var ended = End switch { "Succeeded" => "PodCompleted", "Failed" => "PodFailed", _ => null };
        var pending = init.Where(c => c.IsSidecar ? !c.Started : !c.Completed).Select(c => c.Name).ToArray();
        var unready = init.Where(c => c.IsSidecar).Concat(main).Where(c => !c.Ready).Select(c => c.Name).ToArray();
        var initialized = Initialized || pending.Length == 0;
        Add("PodReadyToStartContainers", SandboxReady);
        Add("Initialized", initialized,
            initialized ? (End == "Succeeded" ? ended : null) : ended ?? "ContainersNotInitialized",
            initialized || ended is not null ? null : $"containers with incomplete status: [{string.Join(' ', pending)}]");
        foreach (var type in (ReadOnlySpan<string>)["Ready", "ContainersReady"])
        {
            var ready = unready.Length == 0 && ended is null && initialized;
            Add(type, ready, ready ? null : ended ?? "ContainersNotReady",
                ready || ended is not null ? null : $"containers with unready status: [{string.Join(' ', unready)}]");
        }

        Add("PodScheduled", true);
        if (_hasRule && !FeatureOff)
        {
            Add("AllContainersRestarting", RestartingAll, RestartingAll ? "RestartAllContainersStarted" : ended, observed: false);
        }

        foreach (var other in old.Where(c => !s_owned.Contains(c.Text("type")) || (FeatureOff && c.Text("type") == "AllContainersRestarting")))
        {
            result.Add(other.DeepClone());
        }

        return result;
    }

    private static JsonObject Container(ContainerSlot slot)
    {
        var restarting = slot.State.At("waiting").Text("reason") == "RestartingAllContainers";
        var status = new JsonObject
        {
            ["name"] = slot.Name,
            ["state"] = slot.State.DeepClone(),
            ["lastState"] = slot.LastState?.DeepClone() ?? new JsonObject(),
            ["ready"] = slot.IsPlainInit ? slot.ExitCode == 0 || (restarting && slot.Ready) : slot.Ready,
            ["restartCount"] = slot.RestartCount,
            ["image"] = slot.Image,
            ["imageID"] = slot.ContainerId is null ? "" : ImageStore.IdOf(slot.Image),
        };
        Set(status, "containerID", slot.ContainerId);
        status["started"] = slot.Started;
        return status;
    }

    private static void Set(JsonObject obj, string name, string? value)
    {
        if (value is not null)
        {
            obj[name] = value;
        }
    }
}
