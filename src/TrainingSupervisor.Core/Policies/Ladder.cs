namespace TrainingSupervisor.Policies;

/// <summary>
/// When the same thing keeps happening: from each rung to the next, once the recoveries that the same rule has answered on that rung or a later
/// one, within the next rung's window and of its scope, are as many as it says.
/// </summary>
internal static class Ladder
{
    /// <summary>The rung, and what to say of it after the rule.</summary>
    public static (int Rung, string Why) Climb(RecoveryPolicy policy, PolicyRule rule, FailureContext context)
    {
        if (rule.Rungs.Length == 1) return (0, $": {rule.Rungs[0].Strategy}");
        var id = rule.Id;
        var rung = 0;
        var counted = 0;
        while (rung + 1 < rule.Rungs.Length)
        {
            var next = rule.Rungs[rung + 1];
            var count = context.Recoveries.Count(e => e.Rule == id && e.Rung >= rung && Counts(policy, next, e, context));
            if (count < next.After) break;
            counted = count;
            rung++;
        }

        var at = rule.Rungs[rung];
        var scope = RuleText.Per(at.Per);
        var why = rung == 0 ? "" : $", since {counted} recoveries{scope} came before it and its limit is {at.After} within {DurationText.Write(at.Within)}";
        return (rung, $": {at.Strategy}, rung {rung + 1} of {rule.Rungs.Length}{why}");
    }

    private static bool Counts(RecoveryPolicy policy, PolicyRung next, RecoveryEntry entry, FailureContext context)
    {
        if (entry.At <= context.Now - next.Within) return false;
        // A gang that gets on is not failed, whatever the path to it.
        if (next.Strategy == RecoveryStrategy.FailGang && RecoveryBudget.IsPaidBack(entry, policy.Budget.PaidBackAfter, context)) return false;
        return next.Per switch
        {
            RepeatScope.Worker => context.Failure.Worker is not null && entry.Worker == context.Failure.Worker,
            RepeatScope.Node => context.Failure.Node is not null && entry.Node == context.Failure.Node,
            _ => true,
        };
    }
}
