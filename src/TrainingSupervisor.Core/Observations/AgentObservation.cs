using System.Collections.Immutable;

namespace TrainingSupervisor.Observations;

internal enum AgentPhase
{
    Unknown,
    Waiting,
    Running,
    Exited,
    Leaving,
}

/// <summary>What an agent last said of itself (AgentState of the protocol).</summary>
internal sealed record AgentObservation
{
    public required string Instance { get; init; }
    public AgentPhase Phase { get; init; }
    public int Attempt { get; init; }

    /// <summary>The attempt of the roster in its worker's files; 0 if it does not say.</summary>
    public int RosterAttempt { get; init; }
    public WorkerExit? Exit { get; init; }
}

/// <summary>How a worker ended.</summary>
internal sealed record WorkerExit
{
    public int Code { get; init; }
    public int Signal { get; init; }
    public string StderrTail { get; init; } = "";
    public bool NotStarted { get; init; }
    public bool OutOfMemory { get; init; }

    /// <summary>So long before its end the OOM killer struck in its container, and it went on; null if it did not, or its end is by that.</summary>
    public TimeSpan? OomKillBefore { get; init; }

    /// <summary>It ended on the SIGTERM with which its Pod is ended: why that is done, the Pod tells.</summary>
    public bool PodEnding { get; init; }
    public DateTimeOffset Started { get; init; }
    public DateTimeOffset Ended { get; init; }
}

/// <summary>What a worker said of its progress.</summary>
internal sealed record ProgressObservation(int Attempt, long Step, long Checkpoint, string Phase, string Unhealthy)
{
    /// <summary>
    /// Seconds that the worker itself took for a step, without its waiting for others, by its own word: the mean over the steps that this
    /// report adds. Null if it says nothing of it.
    /// </summary>
    public double? OwnSeconds { get; init; }

    /// <summary>Who found it unhealthy.</summary>
    public UnhealthySource UnhealthyBy { get; init; }

    /// <summary>What else makes it unhealthy.</summary>
    public ImmutableArray<Ailment> Others { get; init; } = [];
}

/// <summary>Why a worker is unhealthy, and who has found that.</summary>
internal sealed record Ailment(string Words, UnhealthySource By);

internal enum UnhealthySource
{
    /// <summary>The worker's own line "unhealthy ...".</summary>
    Worker,

    /// <summary>The user's health command, run by the agent.</summary>
    HealthCommand,

    /// <summary>A line on the worker's stderr that matches a failure pattern.</summary>
    LogPattern,
}
