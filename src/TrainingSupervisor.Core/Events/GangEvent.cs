using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>Something that happened to a gang, for people and dashboards.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When, by the supervisor's clock.</param>
public abstract record GangEvent(string Gang, DateTimeOffset At);

/// <summary>The gang's phase or attempt has changed.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Phase">The new phase.</param>
/// <param name="Attempt">The attempt that it is in.</param>
/// <param name="Reason">Why.</param>
public sealed record PhaseChanged(string Gang, DateTimeOffset At, GangPhase Phase, int Attempt, string Reason) : GangEvent(Gang, At);

/// <summary>A failure was detected.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Failure">The failure.</param>
public sealed record FailureDetected(string Gang, DateTimeOffset At, Failure Failure) : GangEvent(Gang, At);

/// <summary>A plan was made, or has grown because more failed before its release.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Plan">The plan.</param>
public sealed record RecoveryPlanned(string Gang, DateTimeOffset At, RecoveryPlan Plan) : GangEvent(Gang, At);

/// <summary>A recovery (or the first start) is over: every worker was released and has done a step, or none reports steps.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Plan">The plan that was carried out.</param>
/// <param name="Timing">Where the time went.</param>
public sealed record RecoveryCompleted(string Gang, DateTimeOffset At, RecoveryPlan Plan, RecoveryTiming Timing) : GangEvent(Gang, At)
{
    /// <summary>What was expected of it and what it did cost, as <c>restart 1.9 s (expected 2.1 s); 3 steps again, 36 s (expected 37 s)</c>.</summary>
    public string Cost => PlanText.Cost(Plan.Estimate, Timing);
}

/// <summary>What a worker's Pod or agent is doing has changed.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Worker">The worker and where it is.</param>
public sealed record WorkerChanged(string Gang, DateTimeOffset At, WorkerStatus Worker) : GangEvent(Gang, At);

/// <summary>Something worth a line that is no failure: a fallback, a refused command, a spare made, a node avoided.</summary>
/// <param name="Gang">The gang's name.</param>
/// <param name="At">When.</param>
/// <param name="Text">The line.</param>
public sealed record GangNotice(string Gang, DateTimeOffset At, string Text) : GangEvent(Gang, At);

/// <summary>Where the time of a recovery went. Moments by the supervisor's clock; null where it did not happen.</summary>
/// <param name="Failed">When the first thing broke, by the best evidence.</param>
/// <param name="Detected">When the supervisor noticed.</param>
/// <param name="Decided">When the plan was made.</param>
/// <param name="Commanded">When the record was saved and the first command went out.</param>
/// <param name="Restarted">When the last restarted or recreated worker's agent was back.</param>
/// <param name="BarrierComplete">When the roster was complete.</param>
/// <param name="Released">When the last agent said that its worker runs.</param>
/// <param name="FirstStep">When the first step of the new attempt was reported.</param>
public sealed record RecoveryTiming(
    DateTimeOffset Failed,
    DateTimeOffset Detected,
    DateTimeOffset Decided,
    DateTimeOffset? Commanded,
    DateTimeOffset? Restarted,
    DateTimeOffset? BarrierComplete,
    DateTimeOffset? Released,
    DateTimeOffset? FirstStep)
{
    /// <summary>When the release had been handed to every agent's stream: what follows until <see cref="Released"/> is the agents starting their workers.</summary>
    public DateTimeOffset? ReleaseSent { get; init; }

    /// <summary>
    /// How many steps had been done and are done again, since the new attempt began at a checkpoint: from the furthest step of the former attempt
    /// and the first one of the new, as workers reported them. Null if it is not known.
    /// </summary>
    public long? StepsRepeated { get; init; }

    /// <summary>How long those steps took the first time; null if it is not known.</summary>
    public TimeSpan? WorkRepeated { get; init; }

    /// <summary>From the first command until every worker was at the barrier: what <see cref="RecoveryEstimate.Restart"/> foretold. Null if that did not happen.</summary>
    public TimeSpan? Restart => BarrierComplete - Commanded;
}

/// <summary>A worker, or a spare, as the supervisor sees it.</summary>
/// <param name="Worker">The worker; null for a spare.</param>
/// <param name="Rank">Its rank; -1 for a spare.</param>
/// <param name="Pod">Its Pod.</param>
/// <param name="Node">The Pod's node, if it has one.</param>
/// <param name="State">What it is doing: <c>Pending</c>, <c>Waiting</c>, <c>Running</c>, <c>Exited</c>, <c>Restarting</c>, <c>Lost</c>.</param>
/// <param name="Attempt">The attempt that its agent is in.</param>
/// <param name="Step">The last step that it reported in this attempt; -1 for none.</param>
public sealed record WorkerStatus(WorkerId? Worker, int Rank, string Pod, string? Node, string State, int Attempt, long Step);

/// <summary>A gang as a whole, at one moment.</summary>
/// <param name="Phase">Its phase.</param>
/// <param name="Attempt">Its attempt.</param>
/// <param name="Workers">Its workers by rank, then its spares.</param>
/// <param name="Outcome">Why it has ended, if it has.</param>
public sealed record GangStatus(GangPhase Phase, int Attempt, ImmutableArray<WorkerStatus> Workers, string? Outcome)
{
    /// <summary>Nodes that have failed, by name: avoided by new Pods until <see cref="QuarantinedNode.Until"/>, and remembered for a day after that.</summary>
    public ImmutableSortedDictionary<string, QuarantinedNode> Quarantined { get; init; } = ImmutableSortedDictionary<string, QuarantinedNode>.Empty;
}
