using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>From failures and state to a plan. Pure: the running supervisor and Explain use the same.</summary>
internal static class RecoveryPlanner
{
    /// <summary>The likeliest first cause comes first: by kind, then by when it happened.</summary>
    public static ImmutableArray<Failure> Rank(IEnumerable<Failure> failures) =>
        [.. failures.OrderBy(f => f.Kind.CauseRank()).ThenBy(f => f.At)];

    public static (RecoveryStrategy Strategy, string Reason) Decide(GangState state, Failure cause, DateTimeOffset now)
    {
        var policy = state.Spec.Policy;
        var (strategy, reason) = Choose(policy, cause);
        if (strategy is RecoveryStrategy.FailGang or RecoveryStrategy.Ignore) return (strategy, reason);
        var spent = state.Recoveries.Count(t => t > now - policy.BudgetWindow);
        return spent >= policy.Budget
            ? (RecoveryStrategy.FailGang, $"the budget of {policy.Budget} recoveries in {policy.BudgetWindow} is spent")
            : (strategy, reason);
    }

    /// <param name="state">The state, with all that is known of Pods and nodes.</param>
    /// <param name="failures">What the plan answers, the cause first; none for a recovery that nothing forces.</param>
    /// <param name="strategy">What the policy chose.</param>
    /// <param name="reason">Why.</param>
    /// <param name="attempt">The attempt that the plan leads to.</param>
    /// <param name="now">When.</param>
    /// <param name="avoidNode">Whether the failed workers' nodes are avoided whatever the kind.</param>
    /// <param name="quiesce">How long workers may save first.</param>
    public static RecoveryPlan Plan(
        GangState state, ImmutableArray<Failure> failures, RecoveryStrategy strategy, string reason, int attempt, DateTimeOffset now,
        bool avoidNode = false, TimeSpan? quiesce = null)
    {
        var blamed = failures.Where(f => f.Node is not null && (avoidNode || f.Kind.BlamesNode())).Select(f => f.Node!);
        var avoid = blamed.Concat(Quarantine.Nodes(state, now)).Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        var planner = new StepPlanner(state, failures, strategy, avoid, avoidNode, now);
        // A plan that grows within its recovery keeps its size: who comes in late would delay all others.
        var steps = planner.Steps(mayGrow: attempt > state.Attempt);
        var save = quiesce ?? state.Spec.QuiesceDeadline;
        var plan = new RecoveryPlan
        {
            Attempt = attempt,
            Cause = failures.FirstOrDefault(),
            Failures = failures,
            Strategy = strategy,
            Reason = reason,
            Steps = steps,
            Scope = planner.Scope,
            Idle = [.. planner.Idle],
            AvoidNodes = avoid,
            QuiesceDeadline = save,
            Decided = now,
            NotBefore = now + Backoff(state, now),
        };
        return plan with { Estimate = Estimate(state, plan, now) };
    }

    /// <summary>By the slowest of its steps, since all wait for all.</summary>
    public static RecoveryEstimate Estimate(GangState state, RecoveryPlan plan, DateTimeOffset now)
    {
        var restart = plan.Steps.Select(s => state.Costs.Of(s.Step)).DefaultIfEmpty().Max();
        var wait = plan.NotBefore - now;
        var since = state.CheckpointAt ?? (state.Stage == Stage.Running ? state.StageSince : now);
        var lost = plan.QuiesceDeadline > TimeSpan.Zero || plan.Attempt <= 1 ? TimeSpan.Zero : now - since;
        return new RecoveryEstimate(restart > wait ? restart : wait, lost > TimeSpan.Zero ? lost : TimeSpan.Zero, state.Costs.Known > 0);
    }

    private static (RecoveryStrategy Strategy, string Reason) Choose(RecoveryPolicy policy, Failure cause)
    {
        for (var i = 0; i < policy.Rules.Length; i++)
        {
            if (policy.Rules[i].Matches(cause)) return (policy.Rules[i].Strategy, $"rule {i + 1}, {policy.Rules[i]}");
        }

        return cause.Kind.IsHopeless()
            ? (RecoveryStrategy.FailGang, $"{cause.Kind} is not cured by trying again")
            : (RecoveryStrategy.Hybrid, $"the default for {cause.Kind}");
    }

    private static TimeSpan Backoff(GangState state, DateTimeOffset now)
    {
        var policy = state.Spec.Policy;
        var before = state.Recoveries.Count(t => t > now - policy.BudgetWindow);
        if (before == 0 || policy.Backoff == TimeSpan.Zero) return TimeSpan.Zero;
        var wait = policy.Backoff.TotalSeconds * Math.Pow(2, Math.Min(before - 1, 30));
        return TimeSpan.FromSeconds(Math.Min(wait, policy.MaxBackoff.TotalSeconds));
    }
}
