using System.Globalization;
using System.Text;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor;

/// <summary>A plan for the person who is woken by it. As long for 10,000 workers as for ten.</summary>
internal static class PlanText
{
    private const int NamesShown = 5;

    public static string Of(RecoveryPlan plan)
    {
        var text = new StringBuilder();
        void Line(string label, string what) => text.Append(CultureInfo.InvariantCulture, $"{label,-12}{what}\n");

        Line("cause", plan.Cause is { } cause ? $"{cause}, at {cause.At:u}, seen by {(cause.SeenBy.Length == 0 ? "whoever reported it" : cause.SeenBy)}" : "none: the gang starts");
        foreach (var group in plan.Failures.Skip(1).GroupBy(f => f.Kind).OrderByDescending(g => g.Count()))
        {
            Line("", $"and {group.Count()} more {group.Key}{Of(group.Where(f => f.Worker is not null).Select(f => f.Worker!.Value.ToString()).Distinct())}");
        }

        Line("answer", $"{plan.Strategy}{(plan.Strategy is RecoveryStrategy.FailGang or RecoveryStrategy.Ignore ? "" : $", to attempt {plan.Attempt}")}");
        Line("because", plan.Reason);
        if (plan.Decision is { } decision)
        {
            if (decision.Reason != plan.Reason) Line("", decision.Reason);
            foreach (var budget in decision.Budgets)
            {
                Line("budget", $"{budget.Name}: {budget.Used} of {budget.Budget.Recoveries} recoveries within {DurationText.Write(budget.Budget.Window)} spent before this");
            }

            if (decision.AvoidNode && plan.Cause?.Node is { } node) Line("modifier", $"away from {node}, which is quarantined");
            if (decision.CheckHealth) Line("modifier", "a worker stays in its Pod only if the health check passes");
        }

        if (plan.QuiesceDeadline > TimeSpan.Zero) Line("modifier", $"running workers get up to {DurationText.Write(plan.QuiesceDeadline)} to save first");
        else if (plan.Decision is { Quiesce.Ticks: > 0 }) Line("modifier", "the last checkpoint is so young that saving first would cost more than it spares");
        if (plan.Scope != "gang") Line("scope", plan.Scope);
        foreach (var group in plan.Steps.GroupBy(s => (s.Step, s.Reason)).OrderBy(g => g.Count()).ThenBy(g => g.Key.Step))
        {
            Line("step", $"{group.Count()} {RecoveryPlan.Words(group.Key.Step)}: {group.Key.Reason}{Of(group.Select(s => s.Worker.ToString()))}");
        }

        if (!plan.AvoidNodes.IsEmpty) Line("avoids", $"{plan.AvoidNodes.Length} node{(plan.AvoidNodes.Length == 1 ? "" : "s")}{Of(plan.AvoidNodes)}");
        if (plan.NotBefore > plan.Decided) Line("backoff", $"workers start {DurationText.Write(plan.NotBefore - plan.Decided)} after the decision at the earliest");
        if (plan.Estimate is { } estimate) Line("estimate", estimate.ToString());
        if (plan.Fallback > 0) Line("fallback", $"number {plan.Fallback}: the barrier was not complete in time");
        return text.ToString();
    }

    /// <summary>The truth, and beside it what was expected.</summary>
    public static string Cost(RecoveryEstimate? expected, RecoveryTiming timing)
    {
        var guess = expected is { Learned: false } ? ", a first guess" : "";
        // Of a recovery that another supervisor has begun nobody knows the first command's moment.
        var took = timing.Restart is { } known ? Seconds(known) : "not timed";
        var restart = $"restart {took}{(expected is null ? "" : $" (expected {Seconds(expected.Restart)}{guess})")}";
        if (timing.StepsRepeated is not { } steps) return restart;
        var work = timing.WorkRepeated is { } again && steps > 0 ? $", {Seconds(again)}" : "";
        return $"{restart}; {steps} step{(steps == 1 ? "" : "s")} again{work}{(expected is null ? "" : $" (expected {Seconds(expected.LostWork)})")}";
    }

    public static string Seconds(TimeSpan time) => FormattableString.Invariant($"{time.TotalSeconds:0.#} s");

    private static string Of(IEnumerable<string> names)
    {
        var all = names.ToList();
        return all.Count == 0 ? "" : $" ({string.Join(", ", all.Take(NamesShown))}{(all.Count > NamesShown ? $" and {all.Count - NamesShown} more" : "")})";
    }
}
