using TrainingSupervisor;

namespace LocalTraining.Running;

/// <summary>One thing that the supervisor says, as a line of JSON when it is a process of its own. One of the properties is set.</summary>
internal sealed record SupervisorLine
{
    public GangStatusLine? Status { get; init; }
    public EventLine? Event { get; init; }

    /// <summary>A plan was made that leads to this attempt.</summary>
    public int? PlannedAttempt { get; init; }

    public MoveLine? Move { get; init; }
    public StragglerLine? Straggler { get; init; }
    public RecoveryLine? Recovery { get; init; }
    public ResultLine? Result { get; init; }
    public string? Error { get; init; }
}

internal sealed record GangStatusLine(string Phase, int Attempt, IReadOnlyList<WorkerLine> Workers);

internal sealed record WorkerLine(int Rank, string? Worker, string Pod, string? Node, string State, int Attempt, long Step);

internal sealed record EventLine(DateTimeOffset At, string Level, string Text);

/// <summary>A rank gets another Pod: a spare that waits, or a new one.</summary>
internal sealed record MoveLine(DateTimeOffset At, int Attempt, int Rank, string From, string To, bool ToSpare);

/// <summary>A worker's own work is persistently slower than its peers'.</summary>
internal sealed record StragglerLine(DateTimeOffset At, int Rank, string Who, string Evidence);

internal sealed record RecoveryLine(int Attempt, string Cause, string Culprit, string Plan, RecoveryTiming Timing)
{
    /// <summary>What it did cost, beside what was expected.</summary>
    public string Cost { get; init; } = "";
}

internal sealed record ResultLine(string Phase, string Outcome, int Attempts);
