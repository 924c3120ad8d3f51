namespace TrainingSupervisor;

/// <summary>A recovery that was begun: what budgets and ladders count.</summary>
/// <param name="At">When it was decided.</param>
/// <param name="Attempt">The attempt that it led to.</param>
/// <param name="Kind">The kind of the first cause.</param>
public sealed record RecoveryEntry(DateTimeOffset At, int Attempt, FailureKind Kind)
{
    /// <summary>The worker that failed first; null if none was named.</summary>
    public WorkerId? Worker { get; init; }

    /// <summary>That worker's cell, as <c>trainer/2</c>; null where its role has none, and if no worker was named.</summary>
    public string? Cell { get; init; }

    /// <summary>Its node; null if unknown.</summary>
    public string? Node { get; init; }

    /// <summary>The name of the rule that answered.</summary>
    public string Rule { get; init; } = "";

    /// <summary>The rung of the rule's ladder, from 0.</summary>
    public int Rung { get; init; }

    /// <summary>What was done.</summary>
    public RecoveryStrategy Strategy { get; init; }

    /// <summary>The furthest step that any worker, of its cell where it names one, had reached before; -1 if none was reported.</summary>
    public long BestStep { get; init; } = -1;

    internal static RecoveryEntry Of(Failure cause, PolicyDecision decision, int attempt, long bestStep, DateTimeOffset at, string? cell = null) => new(at, attempt, cause.Kind)
    {
        Worker = cause.Worker,
        Cell = cell,
        Node = cause.Node,
        Rule = decision.Rule,
        Rung = decision.Rung,
        Strategy = decision.Strategy,
        BestStep = bestStep,
    };
}
