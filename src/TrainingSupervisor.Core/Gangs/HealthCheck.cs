using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>
/// A command that the agent runs beside a worker again and again, as long as the worker runs. Exit code 0 means that it is well. A policy can also
/// have it say, while no worker runs, whether a worker may stay in its Pod (<see cref="RungBuilder.CheckHealth"/>).
/// </summary>
/// <param name="Command">
/// The program and its arguments. It is given the worker's environment and, as <c>GANG_WORKER_PID</c>, the worker's process id.
/// </param>
public sealed record HealthCheck(ImmutableArray<string> Command)
{
    /// <summary>From the worker's start to the first run, and from each run's end to the next. Default 30 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A run that takes longer is killed and counts as failed. Default 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>So many failures in a row make the worker unhealthy; one success makes it well again. Default 3.</summary>
    public int Failures { get; init; } = 3;
}
