using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>A failure and what a policy may know besides it. Two that are equal are answered alike.</summary>
/// <param name="Failure">The failure.</param>
/// <param name="Now">The moment of the decision.</param>
public sealed record FailureContext(Failure Failure, DateTimeOffset Now)
{
    /// <summary>The attempt that it happened in, from 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>The labels of the failed worker's node; empty if the node is not known.</summary>
    public ImmutableDictionary<string, string> NodeLabels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Earlier recoveries of the gang, oldest first, as far back as the policy counts.</summary>
    public ImmutableArray<RecoveryEntry> Recoveries { get; init; } = [];

    /// <summary>The furthest step that any worker has reported, in any attempt; -1 if none.</summary>
    public long BestStep { get; init; } = -1;

    /// <summary>The same of each cell's workers, by cell as <c>trainer/2</c>; cells of which no step is known are not in it.</summary>
    public ImmutableSortedDictionary<string, long> CellSteps { get; init; } = NoCellSteps;

    /// <summary>How long the gang gives its workers to save before a restart, where the rule says nothing else; zero for not at all.</summary>
    public TimeSpan QuiesceDeadline { get; init; }

    internal static ImmutableSortedDictionary<string, long> NoCellSteps { get; } = ImmutableSortedDictionary.Create<string, long>(StringComparer.Ordinal);
}
