using TrainingSupervisor.Observations;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>Worker exits as the agent reports them, and what the worker says of its own health.</summary>
internal static class ExitDetector
{
    public static Failure? Find(GangDraft draft, PodState pod)
    {
        if (!pod.Connected || pod.Agent is not { } agent) return null;
        var attempt = pod.Target;
        // While the gang gathers for an attempt, ends of an older one are consequences that join the recovery under way.
        var counts = agent.Attempt == attempt || (draft.State.Stage == Stage.Barrier && agent.Attempt < attempt);
        if (agent is { Phase: AgentPhase.Exited, Exit: { PodEnding: false } exit } && counts && exit.Code != 0)
        {
            return Classify(pod, exit);
        }

        return Said(draft, pod) is { Unhealthy.Length: > 0 } said ? Unhealthy(pod, new Ailment(said.Unhealthy, said.UnhealthyBy), draft.Now) : null;
    }

    /// <summary>What else its agent says of its health: the policy may ignore what is said first.</summary>
    public static IEnumerable<Failure> Others(GangDraft draft, PodState pod) =>
        Said(draft, pod) is { Others: { IsEmpty: false } others } ? others.Select(o => Unhealthy(pod, o, draft.Now)) : [];

    /// <summary>The last word of a worker that runs in the gang's attempt.</summary>
    private static ProgressObservation? Said(GangDraft draft, PodState pod) =>
        draft.State.Stage == Stage.Running && pod is { Connected: true, Agent.Phase: AgentPhase.Running, Progress: { } said } && said.Attempt == pod.Target ? said : null;

    private static Failure Unhealthy(PodState pod, Ailment ailment, DateTimeOffset now)
    {
        var (evidence, seenBy) = ailment.By switch
        {
            UnhealthySource.HealthCommand => ($"the health command {ailment.Words}", "health command"),
            UnhealthySource.LogPattern => ($"on its stderr: {ailment.Words}", "log pattern"),
            _ => ($"the worker says: {ailment.Words}", "worker"),
        };
        return FailureDetector.Of(pod, FailureKind.HealthCheckFailed, evidence, now, seenBy);
    }

    private static Failure Classify(PodState pod, WorkerExit exit)
    {
        var (kind, evidence) = exit switch
        {
            { NotStarted: true } => (FailureKind.StartError, $"the command cannot be started: {exit.StderrTail}"),
            { OutOfMemory: true } => (FailureKind.OutOfMemory, $"the kernel's OOM killer ended it or a child of it, {Words(exit)}; {MemoryLimit.Of(pod.Pod, pod.Pod?.WorkerContainer)}"),
            { Signal: > 0 } => (FailureKind.Killed, $"{Words(exit)}{KillBefore(exit)}"),
            _ => (FailureKind.ApplicationError, $"{Words(exit)}{KillBefore(exit)}"),
        };
        return FailureDetector.Of(pod, kind, evidence, exit.Ended, "agent") with
        {
            ExitCode = exit.Code,
            Signal = exit.Signal > 0 ? exit.Signal : null,
            StderrTail = exit.StderrTail,
        };
    }

    public static string SignalName(int signal) => signal switch
    {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        10 => " (SIGUSR1)",
        11 => " (SIGSEGV)",
        12 => " (SIGUSR2)",
        13 => " (SIGPIPE)",
        14 => " (SIGALRM)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        31 => " (SIGSYS)",
        _ => "",
    };

    // A shell or a launcher ends with 128 + signal when a signal has ended what it has started.
    private static string OfAChild(int code) => code > 128 && SignalName(code - 128) is { Length: > 0 } name ? $" = 128 + {code - 128}{name}" : "";

    // Too long ago to be the reason, and yet what somebody who looks for one wants to know.
    private static string KillBefore(WorkerExit exit) => exit.OomKillBefore is { } before
        ? $"; the kernel's OOM killer ended a process of its container {DurationText.Write(Rounded(before))} before"
        : "";

    private static TimeSpan Rounded(TimeSpan time) =>
        time >= TimeSpan.FromHours(1) ? TimeSpan.FromMinutes(Math.Floor(time.TotalMinutes)) : TimeSpan.FromSeconds(Math.Ceiling(time.TotalSeconds));

    private static string Words(WorkerExit exit) =>
        (exit.Signal > 0 ? $"ended by signal {exit.Signal}{SignalName(exit.Signal)}" : $"exit code {exit.Code}{OfAChild(exit.Code)}") + LastLine(exit.StderrTail);

    /// <summary>Reads as the end of "exit code 1".</summary>
    public static string LastLine(string tail)
    {
        // A stack trace ends with its frames; the line before them says what happened.
        var line = tail.Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .LastOrDefault(l => !l.StartsWith("at ", StringComparison.Ordinal));
        return line is null ? "" : $", {line}";
    }
}
