using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>
/// What outlives the supervisor: the ConfigMap <c>gang-NAME</c>. It holds nothing that Pods or agents can tell.
/// </summary>
internal sealed record GangRecord
{
    public int Attempt { get; init; }
    public GangPhase Phase { get; init; }

    /// <summary>The plan in progress; null when the gang runs.</summary>
    public RecoveryPlan? Plan { get; init; }

    /// <summary>The incarnation of each worker that has had more than one Pod.</summary>
    public ImmutableSortedDictionary<string, int> Incarnations { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Spare Pods that took over a worker: Pod name to worker.</summary>
    public ImmutableSortedDictionary<string, string> Assigned { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>How many spares have ever been made, by role.</summary>
    public ImmutableSortedDictionary<string, int> SpareSerials { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Nodes that new Pods avoid, and why.</summary>
    public ImmutableSortedDictionary<string, QuarantinedNode> Quarantined { get; init; } = ImmutableSortedDictionary<string, QuarantinedNode>.Empty;

    /// <summary>The roles that have fewer workers than described, and how many.</summary>
    public ImmutableSortedDictionary<string, int> Shrunk { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Somebody has asked for the workers that it does without.</summary>
    public bool GrowRequested { get; init; }

    /// <summary>Pods that were made for a worker and are spares now: Pod name to role.</summary>
    public ImmutableSortedDictionary<string, string> Idle { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Spares that were made for nodes with a label: Pod name to <c>role label=value</c>.</summary>
    public ImmutableSortedDictionary<string, string> Pools { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>The attempt of each worker by rank; empty when all are in the gang's.</summary>
    public ImmutableArray<int> Targets { get; init; } = [];

    /// <summary>How long each step takes here, as learned.</summary>
    public StepCosts Costs { get; init; } = new();

    /// <summary>Recoveries as far back as a budget or a ladder counts, oldest first.</summary>
    public ImmutableArray<RecoveryEntry> Recoveries { get; init; } = [];

    /// <summary>The last recoveries, newest last, at most 20.</summary>
    public ImmutableArray<RecoveryPlan> History { get; init; } = [];

    /// <summary>Old Pods that a plan replaced and that are not known to be quiet yet: name to the moment we last had a sign of them.</summary>
    public ImmutableSortedDictionary<string, RetiredPod> Retired { get; init; } = ImmutableSortedDictionary<string, RetiredPod>.Empty;

    /// <summary>Of an adopted gang: the Pod of each worker that has one, as name/uid.</summary>
    public ImmutableSortedDictionary<string, string> Adopted { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Why the gang has ended, if it has.</summary>
    public string? Outcome { get; init; }
}

internal sealed record RetiredPod(string Uid, string? Node, DateTimeOffset LastSign)
{
    public string Role { get; init; } = "";
}
