using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>From failures and state to a plan. Pure: the running supervisor and Explain use the same.</summary>
internal static class RecoveryPlanner
{
    /// <summary>The likeliest first cause comes first.</summary>
    public static ImmutableArray<Failure> Rank(IEnumerable<Failure> failures, GangSpec? spec = null) =>
        FirstCause.Rank(failures, spec?.ConsequenceExitCodes ?? []);

    /// <param name="state">The state, with all that is known of Pods and nodes.</param>
    /// <param name="failures">What the plan answers, the cause first; none for a recovery that nothing forces.</param>
    /// <param name="strategy">What the policy chose.</param>
    /// <param name="reason">Why.</param>
    /// <param name="attempt">The attempt that the plan leads to.</param>
    /// <param name="now">When.</param>
    /// <param name="decision">What the policy said beyond the strategy, if it was asked.</param>
    public static RecoveryPlan Plan(
        GangState state, ImmutableArray<Failure> failures, RecoveryStrategy strategy, string reason, int attempt, DateTimeOffset now,
        PolicyDecision? decision = null)
    {
        // The decision is about the first cause: whoever failed for its sake is not to blame.
        var avoidNode = decision?.AvoidNode == true;
        var blamed = failures.Where((f, i) => f.Node is not null && (f.BlamesNode() || (avoidNode && i == 0))).Select(f => f.Node!);
        var avoid = blamed.Concat(Quarantine.Nodes(state, now)).Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        var domain = FailureDomains.Of(state, failures);
        failures = FailureDomains.Name(failures, domain?.Evidence);
        var planner = new StepPlanner(state, failures, strategy, avoid, avoidNode, now);
        // A plan that grows within its recovery keeps its size: who comes in late would delay all others.
        var steps = planner.Steps(mayGrow: attempt > state.Attempt);
        var save = decision?.Quiesce ?? state.Spec.QuiesceDeadline;
        var plan = new RecoveryPlan
        {
            Attempt = attempt,
            Cause = failures.FirstOrDefault(),
            Failures = failures,
            Domain = domain?.Domain,
            Strategy = strategy,
            Reason = reason,
            Steps = steps,
            Scope = planner.Scope,
            Idle = [.. planner.Idle],
            AvoidNodes = avoid,
            QuiesceDeadline = save,
            Decided = now,
            Decision = decision,
            NotBefore = decision?.NotBefore ?? now,
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
}
