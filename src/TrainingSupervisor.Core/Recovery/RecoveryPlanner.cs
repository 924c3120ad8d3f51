using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>From failures and state to a plan. Pure: the running supervisor and Explain use the same.</summary>
internal static class RecoveryPlanner
{
    /// <summary>A guess, as long as no workers have saved here.</summary>
    private static readonly TimeSpan FirstSave = TimeSpan.FromSeconds(10);

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
        var blamed = failures.Where((f, i) => f.Node is not null && (f.BlamesNode() || (avoidNode && i == 0)) && !Quarantine.Forgave(state, f, now)).Select(f => f.Node!);
        var avoid = blamed.Concat(Quarantine.Nodes(state, now)).Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        var domain = FailureDomains.Of(state, failures);
        failures = FailureDomains.Name(failures, domain?.Evidence);
        var planner = new StepPlanner(state, failures, strategy, avoid, avoidNode, now);
        // A plan that grows within its recovery keeps its size: who comes in late would delay all others.
        var steps = planner.Steps(mayGrow: attempt > state.Attempt);
        var save = SaveFirst(state, failures, decision?.Quiesce ?? state.Spec.QuiesceDeadline, now);
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

    /// <summary>
    /// Saving first costs the whole gang that time, so it has to be worth it: doing the steps since the last checkpoint again must cost more.
    /// Whoever is moved in time loses no step.
    /// </summary>
    private static TimeSpan SaveFirst(GangState state, ImmutableArray<Failure> failures, TimeSpan asked, DateTimeOffset now) =>
        state.Costs.Save is { } save && state.CheckpointAt is { } last && now - last <= save && !failures.Any(f => f.Kind.IsNotice()) ? TimeSpan.Zero : asked;

    /// <summary>By the slowest of its steps, since all wait for all.</summary>
    public static RecoveryEstimate Estimate(GangState state, RecoveryPlan plan, DateTimeOffset now)
    {
        var costs = state.Costs;
        var saves = plan.QuiesceDeadline > TimeSpan.Zero;
        var save = !saves ? TimeSpan.Zero : costs.Save ?? (plan.QuiesceDeadline < FirstSave ? plan.QuiesceDeadline : FirstSave);
        var steps = plan.Steps.Where(s => s.InScope).Select(s => s.Step).Distinct().ToList();
        var restart = save + steps.Select(costs.Of).DefaultIfEmpty().Max();
        restart = Longest(restart, plan.NotBefore - now, Fence(state, plan, now));
        var learned = steps.TrueForAll(costs.Knows) && (!saves || costs.Save is not null);
        // A plan that changes while it is carried out: what has passed counts, and no work has been done since.
        if (plan.Attempt == state.Attempt && state is { Plan.Estimate: { } first, Timing.Commanded: { } commanded })
        {
            return new RecoveryEstimate(now - commanded + restart, first.LostWork, learned);
        }

        var since = state.CheckpointAt ?? (state.Stage == Stage.Running ? state.StageSince : now);
        // While a gang hangs it does nothing that could be lost.
        var until = state.Reach.Attempt == state.Attempt ? state.Reach.LastAt : now;
        return new RecoveryEstimate(restart, saves || plan.Attempt <= 1 ? TimeSpan.Zero : Longest(until - since), learned);
    }

    /// <summary>How long nobody may start because a replaced Pod that nothing is heard of may still run its worker.</summary>
    private static TimeSpan Fence(GangState state, RecoveryPlan plan, DateTimeOffset now) =>
        state.Spec.Fence == TimeSpan.Zero ? TimeSpan.Zero : plan.Steps
            .Select(s => s.OldPod is { } old ? state.Pods.GetValueOrDefault(old) : null)
            .Where(p => p is not null && !Quiet.Is(state, p, now))
            .Select(p => Quiet.FencedAt(state, p!) - now ?? TimeSpan.Zero).DefaultIfEmpty().Max();

    private static TimeSpan Longest(params ReadOnlySpan<TimeSpan> times)
    {
        var longest = TimeSpan.Zero;
        foreach (var time in times) longest = time > longest ? time : longest;
        return longest;
    }
}
