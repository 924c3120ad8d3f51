using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>What the machine knows of one Pod that it wants, has, or has replaced.</summary>
internal sealed record PodState
{
    public required string Name { get; init; }
    public required string Role { get; init; }

    /// <summary>The worker that lives in this Pod; null for a spare.</summary>
    public WorkerId? Worker { get; init; }
    public int Incarnation { get; init; }
    public string? Uid { get; init; }
    public PodObservation? Pod { get; init; }

    /// <summary>What the agent last said of itself; kept after its stream has ended.</summary>
    public AgentObservation? Agent { get; init; }
    public bool Connected { get; init; }

    /// <summary>Since when its agent's stream is up, or was when it was last.</summary>
    public DateTimeOffset ConnectedSince { get; init; }
    public string Address { get; init; } = "";
    public string? Node { get; init; }

    /// <summary>When we last heard of its agent; the moment we first knew of the Pod if never.</summary>
    public DateTimeOffset LastSign { get; init; }
    public ProgressObservation? Progress { get; init; }

    /// <summary>
    /// The container whose exit made the kubelet restart all containers, as the status showed it while it did; kept, since afterwards every
    /// container reads 137 RestartingAllContainers. Null when that moment was not seen, or the restart was ours.
    /// </summary>
    public ContainerObservation? RestartCause { get; init; }

    /// <summary>Since when its worker's container is seen to have ended while another of its Pod runs on.</summary>
    public DateTimeOffset? AloneSince { get; init; }

    /// <summary>The attempt that its worker is to run; older than the gang's where a recovery touched other cells only.</summary>
    public int Target { get; init; }

    /// <summary>It was made for a worker and is now a spare: the gang has shrunk.</summary>
    public bool Idle { get; init; }

    /// <summary>The spare pool that it was made for, as <c>label=value</c>; empty for the one that any node serves.</summary>
    public string Pool { get; init; } = "";

    /// <summary>Since when the scheduler finds no node for it.</summary>
    public DateTimeOffset? UnschedulableSince { get; init; }
    public bool UnschedulableTold { get; init; }

    /// <summary>What the plan under way does to it, and when it had brought it to the barrier: the planner learns from that.</summary>
    public RecoveryStep Planned { get; init; }
    public DateTimeOffset? ArrivedAt { get; init; }

    /// <summary>The object is gone from the API.</summary>
    public bool Gone { get; init; }

    /// <summary>We have replaced it: it must end.</summary>
    public bool Doomed { get; init; }

    /// <summary>It may have been released at some time: a worker may run in it. A Pod that never was cannot harm anybody.</summary>
    public bool MayRun { get; init; }

    /// <summary>It was said already that somebody must tell whether its machine is off.</summary>
    public bool ProofAsked { get; init; }

    /// <summary>The save that must be through before this Pod may be created.</summary>
    public long NeedsSaved { get; init; }
    public DateTimeOffset? DeleteSent { get; init; }
    public bool DeleteForced { get; init; }
    public bool DeleteFailed { get; init; }

    /// <summary>Why it could not be made when that was last tried.</summary>
    public string? CreateError { get; init; }
    public int CreateFailures { get; init; }

    /// <summary>When a request that was sent may be said again: soon when it has failed, late when it was merely not seen to work.</summary>
    public DateTimeOffset TryAgainAt { get; init; }

    /// <summary>It is not made before this: others for the same worker have failed already in this recovery.</summary>
    public DateTimeOffset DelayedUntil { get; init; }

    /// <summary>It was made, or at least asked for.</summary>
    public bool IsOrdered => Uid is not null || TryAgainAt > default(DateTimeOffset);
    public string? HaltedInstance { get; init; }
    public DateTimeOffset HaltedAt { get; init; }
    public int CommandedAttempt { get; init; }
    public string? CommandedInstance { get; init; }
    public DateTimeOffset CommandedAt { get; init; }

    /// <summary>When it was first told of the attempt in <see cref="CommandedAttempt"/>.</summary>
    public DateTimeOffset? CommandedFirst { get; init; }
    public bool QuiesceAnswered { get; init; }

    /// <summary>What came of the health check that decides whether its worker is kept in it; null if none was asked for.</summary>
    public Fitness? Fitness { get; init; }
    public int ReleasedAttempt { get; init; }
    public string? ReleasedInstance { get; init; }
    public DateTimeOffset ReleasedAt { get; init; }
    public DateTimeOffset RosterTold { get; init; }

    /// <summary>The last attempt in which its agent was seen running the worker.</summary>
    public int RanAttempt { get; init; }

    /// <summary>The attempt for which a failure of this Pod has been noted already, and of which kind.</summary>
    public int FailedAttempt { get; init; }
    public FailureKind FailedKind { get; init; }
    public bool FailedEnded { get; init; }
    public bool FailedForPod { get; init; }

    /// <summary>Its worker runs the attempt that it is to run, or has ended that with code 0.</summary>
    public bool IsOnTarget => Runs(Target) || Finished(Target);

    /// <summary>The gang's attempt needs it, and it is neither at the barrier for it nor past that.</summary>
    public bool IsAwaited(int attempt) => Target == attempt && !IsOnTarget && !Arrived(attempt);

    /// <summary>What remembers more than this forgets; the policy is asked again then.</summary>
    public const int MostIgnored = 32;

    /// <summary>Its failures that the policy has ignored, as they were told, and the attempt for which: none of them is news, and all others are.</summary>
    public int IgnoredAttempt { get; init; }
    public ImmutableHashSet<(FailureKind Kind, string Evidence)> Ignored { get; init; } = [];

    public bool IgnoresSome(FailureKind kind, int attempt) => IgnoredAttempt == attempt && Ignored.Any(i => i.Kind == kind);

    public bool Ignores(Failure failure, int attempt) => IgnoredAttempt == attempt && Ignored.Contains((failure.Kind, failure.Evidence));

    public PodState Ignoring(Failure failure, int attempt)
    {
        var known = IgnoredAttempt == attempt ? Ignored : [];
        // One of each kind stays, so that the policy is asked about the next of them before it is told.
        if (known.Count >= MostIgnored) known = [.. known.DistinctBy(i => i.Kind).Where(i => i.Kind != failure.Kind)];
        return this with { IgnoredAttempt = attempt, Ignored = known.Add((failure.Kind, failure.Evidence)) };
    }

    public PodState Heeding(FailureKind kind) => this with { Ignored = Ignored.Except(Ignored.Where(i => i.Kind == kind)) };

    public bool HasEnded => Pod?.HasEnded == true;

    /// <summary>Its agent was released and has said nothing since: as far as we know it waits, and its worker may start at any moment.</summary>
    public bool MayStart => Agent is { Phase: AgentPhase.Waiting } a && ReleasedAttempt > 0 && ReleasedInstance == a.Instance && a.Attempt <= ReleasedAttempt;

    public bool Arrived(int attempt) =>
        Connected && !Gone && !Doomed && Agent is { Phase: AgentPhase.Waiting } a && a.Attempt <= attempt && !(MayStart && ReleasedAttempt < attempt);

    public bool Runs(int attempt) => Connected && Agent is { Phase: AgentPhase.Running } a && a.Attempt == attempt;

    public bool Finished(int attempt) =>
        (Agent is { Phase: AgentPhase.Exited, Exit: { Code: 0, NotStarted: false, PodEnding: false } } a && a.Attempt == attempt)
        || (Pod is { Phase: PodPhase.Succeeded, Deleting: false, DisruptionReason: null } && RanAttempt == attempt);
}
