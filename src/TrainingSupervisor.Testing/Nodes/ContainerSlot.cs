using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>One container of a Pod over all its runs. Only its Pod's worker touches it, but for <see cref="Current"/>.</summary>
internal sealed class ContainerSlot(JsonObject spec, bool init)
{
    private volatile IContainer? _current;

    public JsonObject Spec { get; } = spec;

    public string Name { get; } = spec.Text("name")!;

    public string Image { get; } = spec.Text("image") ?? "";

    public bool IsSidecar { get; } = init && spec.Text("restartPolicy") == "Always";

    public bool IsPlainInit { get; } = init && spec.Text("restartPolicy") != "Always";

    public IContainer? Current { get => _current; set => _current = value; }

    /// <summary>How the current run was started; probes and hooks run in the same environment.</summary>
    public ContainerLaunch? Launch { get; set; }

    /// <summary>Counts the runs, so that news of an older run can be told apart.</summary>
    public int Run { get; set; }

    public int RestartCount { get; set; }

    public bool NeedsStart { get; set; } = true;

    public bool HasRun { get; set; }

    public bool Started { get; set; }

    public bool Ready { get; set; }

    public DateTimeOffset NotBefore { get; set; }

    public TimeSpan BackOff { get; set; }

    public int RestartsInARow { get; set; }

    public TimeSpan PullBackOff { get; set; }

    public DateTimeOffset StartedAt { get; set; }

    public bool KilledByProbe { get; set; }

    public string? KillReason { get; set; }

    public string? ContainerId { get; set; }

    public JsonObject State { get; set; } = Waiting("ContainerCreating");

    public JsonObject? LastState { get; set; }

    /// <summary>Cancels the probes and timers of this run.</summary>
    public CancellationTokenSource? RunEnd { get; set; }

    public bool IsRunning => Current is not null;

    public JsonObject? Terminated => State.At("terminated");

    public long? ExitCode => Terminated.Number("exitCode");

    public bool Completed => ExitCode == 0 && !NeedsStart;

    public static JsonObject Waiting(string reason, string? message = null)
    {
        var waiting = new JsonObject { ["reason"] = reason };
        if (message is not null)
        {
            waiting["message"] = message;
        }

        return new() { ["waiting"] = waiting };
    }

    /// <summary>A terminated state of a container that the kubelet has lost sight of.</summary>
    public static JsonObject Lost(string reason, string message) => new()
    {
        ["terminated"] = new JsonObject
        {
            ["exitCode"] = 137,
            ["reason"] = reason,
            ["message"] = message,
            ["startedAt"] = null,
            ["finishedAt"] = null,
        },
    };
}
