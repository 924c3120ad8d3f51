using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>What one recovery does: a step per worker, and why.</summary>
public sealed record RecoveryPlan
{
    /// <summary>The attempt that the plan leads to.</summary>
    public required int Attempt { get; init; }

    /// <summary>The failure that came first; null for the gang's first start.</summary>
    public Failure? Cause { get; init; }

    /// <summary>All failures that this recovery answers, the cause first.</summary>
    public ImmutableArray<Failure> Failures { get; init; } = [];

    /// <summary>The strategy that the policy chose.</summary>
    public RecoveryStrategy Strategy { get; init; }

    /// <summary>Why the strategy was chosen: the rule or the default.</summary>
    public string Reason { get; init; } = "";

    /// <summary>What the policy said, and by which rule; null for the gang's first start.</summary>
    public PolicyDecision? Decision { get; init; }

    /// <summary>The step of each worker, by rank.</summary>
    public ImmutableArray<WorkerStep> Steps { get; init; } = [];

    /// <summary>Who is touched: <c>gang</c>, or the cells by name as <c>trainer/2</c>.</summary>
    public string Scope { get; init; } = "gang";

    /// <summary>What it is expected to cost; null for the first start.</summary>
    public RecoveryEstimate? Estimate { get; init; }

    /// <summary>How long running workers get to save before anything is restarted; zero for not at all.</summary>
    public TimeSpan QuiesceDeadline { get; init; }

    /// <summary>Pods that had a worker and become spares, because the gang shrinks.</summary>
    internal ImmutableArray<string> Idle { get; init; } = [];

    /// <summary>Nodes that new Pods avoid because of this plan.</summary>
    public ImmutableArray<string> AvoidNodes { get; init; } = [];

    /// <summary>When the plan was made.</summary>
    public DateTimeOffset Decided { get; init; }

    /// <summary>Not before this may workers start: backoff between recoveries.</summary>
    public DateTimeOffset NotBefore { get; init; }

    /// <summary>How far the fallback order has been followed: 0 for the plan as first made.</summary>
    public int Fallback { get; init; }

    /// <summary>How many workers get each step, as <c>7 restart in place, 1 replace with spare</c>.</summary>
    public string Summary => string.Join(", ", Steps.GroupBy(s => s.Step).OrderBy(g => g.Key).Select(g => $"{g.Count()} {Words(g.Key)}"));

    /// <summary>
    /// The plan and its reasons in lines for a person: cause, rule and rung, budgets, how many workers get each step and why, nodes, backoff.
    /// </summary>
    public string ToText() => PlanText.Of(this);

    internal static string Words(RecoveryStep step) => step switch
    {
        RecoveryStep.Keep => "keep",
        RecoveryStep.RestartProcess => "restart process",
        RecoveryStep.RestartInPlace => "restart in place",
        RecoveryStep.Recreate => "recreate",
        _ => "replace with spare",
    };
}

/// <summary>One worker's part of a plan.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Step">What is done.</param>
/// <param name="Reason">Why this is the cheapest safe step for it.</param>
public sealed record WorkerStep(WorkerId Worker, RecoveryStep Step, string Reason)
{
    /// <summary>False for a worker that the plan does not touch: it runs on in its own attempt.</summary>
    public bool InScope { get; init; } = true;

    /// <summary>The Pod that the worker will be in.</summary>
    public string Pod { get; init; } = "";

    /// <summary>The Pod that is replaced, if one is.</summary>
    public string? OldPod { get; init; }
}
