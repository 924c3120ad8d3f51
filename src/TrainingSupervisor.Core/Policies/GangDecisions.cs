using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Policies;

/// <summary>What the gang's policy says about failures in the gang's state, and the plan for it.</summary>
internal static class GangDecisions
{
    /// <summary>More than any window can ask for is not kept; nor is more than this, so that the record stays small.</summary>
    public const int MostKept = 1000;

    /// <summary>
    /// Decides about failures that are ranked already. Those that the policy ignores are left out: one of them is never the cause, and none
    /// hides another. If it ignores all, the decision is about the first.
    /// </summary>
    public static GangDecision Decide(GangState state, ImmutableArray<Failure> ranked, int attempt, DateTimeOffset now)
    {
        var policy = state.Spec.Policy;
        var answered = ranked.Where(f => !Ignores(state, f, attempt, now)).ToImmutableArray();
        if (answered.IsEmpty) answered = ranked;
        return new GangDecision(policy.Decide(Context(state, answered[0], attempt, now)), answered);
    }

    private static bool Ignores(GangState state, Failure failure, int attempt, DateTimeOffset now) => PolicyEvaluator.Ignores(state.Spec.Policy, Context(state, failure, attempt, now));

    /// <summary>The same while the recovery to this attempt is under way, or about to be: it does not count against itself, and what failed was the attempt before.</summary>
    public static GangDecision DecideWithin(GangState state, ImmutableArray<Failure> ranked, int target, DateTimeOffset now) => Decide(Without(state, target), ranked, Math.Max(1, target - 1), now);

    public static bool IgnoresWithin(GangState state, Failure failure, int target, DateTimeOffset now) => Ignores(Without(state, target), failure, Math.Max(1, target - 1), now);

    public static RecoveryPlan Plan(GangState state, PolicyDecision decision, ImmutableArray<Failure> failures, int attempt, DateTimeOffset now) =>
        RecoveryPlanner.Plan(state, failures, decision.Strategy, decision.Reason, attempt, now, decision);

    /// <summary>A decision that needs no steps: the gang fails, or nothing is done.</summary>
    public static RecoveryPlan WithoutSteps(GangDecision decided, int attempt, DateTimeOffset now) => new()
    {
        Attempt = attempt,
        Cause = decided.Failures[0],
        Failures = decided.Failures,
        Strategy = decided.Decision.Strategy,
        Reason = decided.Decision.Reason,
        Decision = decided.Decision,
        Decided = now,
        NotBefore = now,
    };

    /// <summary>The history with this recovery in it; of one that is under way, what is known now of its cause.</summary>
    public static ImmutableArray<RecoveryEntry> Remember(GangState state, GangDecision decided, int attempt, DateTimeOffset now)
    {
        var known = state.Recoveries.LastOrDefault() is { } last && last.Attempt == attempt ? last : null;
        var cause = decided.Failures[0];
        var cell = Cells.Of(state.Spec, cause.Worker);
        var best = known is not null && known.Cell == cell ? known.BestStep : cell is null ? state.BestStep : state.CellSteps.GetValueOrDefault(cell, -1);
        var entry = RecoveryEntry.Of(cause, decided.Decision, attempt, best, known?.At ?? now, cell);
        var oldest = now - Budgets.Memory(state.Spec.Policy);
        return [.. Before(state, attempt).Where(e => e.At > oldest).TakeLast(MostKept - 1), entry];
    }

    /// <summary>A recovery that is under way does not count against itself.</summary>
    private static IEnumerable<RecoveryEntry> Before(GangState state, int attempt) => state.Recoveries.Where(e => e.Attempt < attempt);

    private static GangState Without(GangState state, int attempt) =>
        state.Recoveries is [.., var last] && last.Attempt >= attempt ? state with { Recoveries = [.. Before(state, attempt)] } : state;

    private static FailureContext Context(GangState state, Failure failure, int attempt, DateTimeOffset now) => new(failure, now)
    {
        Attempt = attempt,
        NodeLabels = failure.Node is { } node && state.Nodes.TryGetValue(node, out var seen) ? seen.Labels : ImmutableDictionary<string, string>.Empty,
        Recoveries = state.Recoveries,
        BestStep = state.BestStep,
        CellSteps = state.CellSteps,
        QuiesceDeadline = state.Spec.QuiesceDeadline,
    };
}

/// <summary>A decision, and the failures that it answers, the cause first.</summary>
internal sealed record GangDecision(PolicyDecision Decision, ImmutableArray<Failure> Failures);
