using System.Collections.Immutable;
using TrainingSupervisor.Engine.Learning;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Where within its phase the gang is.</summary>
internal enum Stage
{
    /// <summary>A failure has come; others of the same event may follow.</summary>
    Gathering,

    /// <summary>The plan is being written to the record; nothing may happen before that.</summary>
    Saving,

    /// <summary>The plan is carried out and the gang gathers at the barrier.</summary>
    Barrier,

    /// <summary>The barrier is open; not every agent has said yet that its worker runs.</summary>
    Releasing,
    Running,

    /// <summary>The gang is over; its agents are told to end.</summary>
    Ending,
    Ended,
}

/// <summary>All that the machine knows. Immutable: <see cref="GangMachine.Step"/> makes the next one.</summary>
internal sealed record GangState
{
    public required GangSpec Spec { get; init; }
    public long Term { get; init; }
    public bool RestartsInPlace { get; init; }
    public int Attempt { get; init; }
    public GangPhase Phase { get; init; }
    public Stage Stage { get; init; }
    public DateTimeOffset StageSince { get; init; }

    /// <summary>The plan in progress, or the last one.</summary>
    public RecoveryPlan? Plan { get; init; }

    /// <summary>Failures that wait for a decision.</summary>
    public ImmutableArray<Failure> Failures { get; init; } = [];

    /// <summary>The Pod of each worker, by rank.</summary>
    public ImmutableArray<string> Workers { get; init; } = [];
    public Table<PodState> Pods { get; init; } = Table<PodState>.Empty;
    public Table<NodeObservation> Nodes { get; init; } = Table<NodeObservation>.Empty;

    /// <summary>Until when we are known to have seen the Leases of nodes as they are.</summary>
    public DateTimeOffset LeaseView { get; init; } = DateTimeOffset.MinValue;

    /// <summary>Nodes that have failed, also those that are forgiven by now: see <see cref="Quarantine"/>.</summary>
    public ImmutableSortedDictionary<string, QuarantinedNode> Quarantined { get; init; } = ImmutableSortedDictionary<string, QuarantinedNode>.Empty;

    /// <summary>Nodes whose taint was asked for, or was asked to go, and when that may be said again.</summary>
    public ImmutableSortedDictionary<string, DateTimeOffset> MarksAsked { get; init; } = ImmutableSortedDictionary<string, DateTimeOffset>.Empty;

    /// <summary>The roles that have fewer workers than described, and how many: the gang has shrunk.</summary>
    public ImmutableSortedDictionary<string, int> Shrunk { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Spares beyond what the roles ask for, by role: replacements that are made ready before a worker is moved.</summary>
    public ImmutableSortedDictionary<string, int> ExtraSpares { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Someone has asked for the workers that the gang does without.</summary>
    public bool GrowRequested { get; init; }

    /// <summary>How long each step takes here, as learned.</summary>
    public StepCosts Costs { get; init; } = new();

    /// <summary>When a worker last said that a checkpoint is safe.</summary>
    public DateTimeOffset? CheckpointAt { get; init; }

    /// <summary>The attempt whose plan has asked the workers to save, and when that began; and the one for which that is over.</summary>
    public int QuiescingAttempt { get; init; }
    public DateTimeOffset QuiescingSince { get; init; }
    public int QuiescedAttempt { get; init; }
    public DateTimeOffset QuiescedAt { get; init; }

    /// <summary>The time of the barrier goes on from here, though the plan has changed since; null if it began anew with the plan.</summary>
    public DateTimeOffset? WaitsSince { get; init; }

    /// <summary>Since when the barrier waits for workers, and not for what they save first.</summary>
    public DateTimeOffset BarrierSince => WaitsSince ?? (QuiescedAttempt == Attempt && QuiescedAt > StageSince ? QuiescedAt : StageSince);
    public ImmutableSortedDictionary<string, int> Incarnations { get; init; } = ImmutableSortedDictionary<string, int>.Empty;
    public ImmutableSortedDictionary<string, string> Assigned { get; init; } = ImmutableSortedDictionary<string, string>.Empty;
    public ImmutableSortedDictionary<string, int> SpareSerials { get; init; } = ImmutableSortedDictionary<string, int>.Empty;
    public ImmutableArray<RecoveryEntry> Recoveries { get; init; } = [];
    public ImmutableArray<RecoveryPlan> History { get; init; } = [];

    /// <summary>The furthest step that any worker has reported, in any attempt; -1 if none. After a takeover agents tell it again.</summary>
    public long BestStep { get; init; } = -1;

    /// <summary>The same by cell, as <c>trainer/2</c>: a cell's failures are paid back by its own progress.</summary>
    public ImmutableSortedDictionary<string, long> CellSteps { get; init; } = FailureContext.NoCellSteps;

    /// <summary>How far the newest attempt has come.</summary>
    public Reach Reach { get; init; } = Reach.None;

    /// <summary>The cluster's first lists are in.</summary>
    public bool Synced { get; init; }

    /// <summary>What was reported from outside before that: nobody knew yet which Pods are on which nodes.</summary>
    public ImmutableArray<Failure> EarlyReports { get; init; } = [];
    public long SaveSequence { get; init; }
    public long SavedSequence { get; init; }

    /// <summary>When a step was last done anywhere, in this attempt.</summary>
    public DateTimeOffset LastAdvance { get; init; }

    /// <summary>What progress has taught, and where this attempt stands by it.</summary>
    public ProgressBook Progress { get; init; } = ProgressBook.Empty;

    /// <summary>Of the recovery under way, until its books are closed.</summary>
    public RecoveryTiming? Timing { get; init; }
    public RecoveryTiming? LastTiming { get; init; }

    /// <summary>The last attempt in which a worker of some cell got another Pod; 0 if the others need not be told.</summary>
    public int RosterAttempt { get; init; }
    public string? Outcome { get; init; }

    /// <summary>Why the gang is to stop; null while it is not.</summary>
    public string? StopReason { get; init; }

    /// <summary>Of an adopted gang: Pods have taken places that the record does not know of yet.</summary>
    public bool PodsUnsaved { get; init; }

    public bool IsOver => Phase is GangPhase.Succeeded or GangPhase.Failed or GangPhase.Stopped;

    /// <summary>How many workers the gang has now.</summary>
    public int WorldSize => Spec.Roles.Sum(CountOf);

    public int CountOf(RoleSpec role) => Shrunk.GetValueOrDefault(role.Name, role.Count);

    /// <summary>The node that it is on, if that is known.</summary>
    public NodeObservation? NodeOf(PodState pod) => pod.Node is null ? null : Nodes.GetValueOrDefault(pod.Node);

    /// <summary>There are failures beside those that only announce something.</summary>
    public bool HasUrgentFailures => Failures.Any(f => !f.CanWait);

    /// <summary>The rank of each worker's Pod, for whoever asks for many: to look for each one would take the square of their number.</summary>
    public Dictionary<string, int> Ranks() => Workers.Index().ToDictionary(w => w.Item, w => w.Index, StringComparer.Ordinal);

    public WorkerId WorkerAt(int rank)
    {
        foreach (var role in Spec.Roles)
        {
            var count = CountOf(role);
            if (rank < count) return new WorkerId(role.Name, rank);
            rank -= count;
        }

        throw new ArgumentOutOfRangeException(nameof(rank));
    }
}

/// <summary>What one step gives: the next state, what to do, and when to wake the machine at the latest.</summary>
internal sealed record MachineResult(GangState State, ImmutableArray<GangEffect> Effects, DateTimeOffset? NextWake)
{
    /// <summary>What was decided about failures in this step, if anything was; without steps if the gang fails or nothing is done.</summary>
    public RecoveryPlan? Decided { get; init; }
}
