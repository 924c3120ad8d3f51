using TrainingSupervisor.Observations;

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
        if (agent is { Phase: AgentPhase.Exited, Exit: { } exit } && counts && exit.Code != 0)
        {
            return Classify(pod, exit);
        }

        if (draft.State.Stage != Stage.Running) return null;
        return agent.Phase == AgentPhase.Running && pod.Progress is { Unhealthy.Length: > 0 } p && p.Attempt == attempt
            ? FailureDetector.Of(pod, FailureKind.HealthCheckFailed, $"the worker says: {p.Unhealthy}", draft.Now, "progress")
            : null;
    }

    private static Failure Classify(PodState pod, WorkerExit exit)
    {
        var (kind, evidence) = exit switch
        {
            { NotStarted: true } => (FailureKind.StartError, $"the command cannot be started: {exit.StderrTail}"),
            { OutOfMemory: true } => (FailureKind.OutOfMemory, "the kernel's OOM killer ended it or a child of it"),
            { Signal: > 0 } => (FailureKind.Killed, $"ended by signal {exit.Signal}{SignalName(exit.Signal)}"),
            _ => (FailureKind.ApplicationError, $"exit code {exit.Code}{LastLine(exit.StderrTail)}"),
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
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    };

    private static string LastLine(string tail)
    {
        // A stack trace ends with its frames; the line before them says what happened.
        var line = tail.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .LastOrDefault(l => !l.StartsWith("at ", StringComparison.Ordinal));
        return line is null ? "" : $", {line}";
    }
}
