namespace TrainingSupervisor.Agent.Beside;

/// <summary>How a command beside the worker ended: its exit code, 128 + signal, or -1 if it could not be started.</summary>
internal sealed record SideResult(int Code, bool TimedOut, string Output)
{
    /// <summary>By SIGKILL, it or what it has waited for, and not from here.</summary>
    internal bool KilledByOthers { get; init; }
}
