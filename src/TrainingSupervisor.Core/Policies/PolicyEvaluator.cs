using System.Collections.Immutable;

namespace TrainingSupervisor.Policies;

/// <summary>From a policy and a failure to a decision. Pure.</summary>
internal static class PolicyEvaluator
{
    public static PolicyDecision Decide(RecoveryPolicy policy, FailureContext context)
    {
        var (rule, where, isDefault) = RuleFor(policy, context);
        var (index, why) = Ladder.Climb(policy, rule, context);
        var rung = rule.Rungs[index];
        var decision = new PolicyDecision(rung.Strategy)
        {
            Reason = $"{where}{why}",
            Rule = rule.Id,
            IsDefault = isDefault,
            Rung = index,
            NotBefore = context.Now,
        };
        if (rung.Strategy is RecoveryStrategy.FailGang or RecoveryStrategy.Ignore) return decision;

        var budgets = Budgets.Of(policy, context);
        decision = decision with { Budgets = budgets };
        if (budgets.FirstOrDefault(b => b.IsSpent && !Budgets.IsNode(b)) is { } spent)
        {
            return decision with
            {
                Strategy = RecoveryStrategy.FailGang,
                Reason = $"{Budgets.Spent(spent)}; else {decision.Reason}",
            };
        }

        var worn = budgets.FirstOrDefault(b => b.IsSpent);
        return decision with
        {
            Reason = worn is null ? decision.Reason : $"{decision.Reason}; {Budgets.Spent(worn)}, so the worker moves and the node is quarantined",
            AvoidNode = rung.AvoidNode || worn is not null,
            Quiesce = rung.Quiesce ?? context.QuiesceDeadline,
            CheckHealth = rung.CheckHealth,
            NotBefore = context.Now + Wait(policy, rule, rung, context),
        };
    }

    /// <summary>Whether this failure is no reason to recover.</summary>
    public static bool Ignores(RecoveryPolicy policy, FailureContext context)
    {
        var (rule, _, _) = RuleFor(policy, context);
        return rule.Rungs.Any(r => r.Strategy == RecoveryStrategy.Ignore)
            && rule.Rungs[Ladder.Climb(policy, rule, context).Rung].Strategy == RecoveryStrategy.Ignore;
    }

    private static (PolicyRule Rule, string Where, bool IsDefault) RuleFor(RecoveryPolicy policy, FailureContext context)
    {
        for (var i = 0; i < policy.Rules.Length; i++)
        {
            if (policy.Rules[i].Matches(context)) return (policy.Rules[i], $"rule {i + 1}, {policy.Rules[i].Id}", false);
        }

        var rule = RecoveryPolicy.Default.Rules.First(r => r.Matches(context));
        return (rule, $"the default for {context.Failure.Kind}", true);
    }

    /// <summary>A recovery that progress has paid back is not one in a row with this.</summary>
    private static TimeSpan Wait(RecoveryPolicy policy, PolicyRule rule, PolicyRung rung, FailureContext context)
    {
        var backoff = rung.Backoff ?? policy.Backoff;
        if (backoff.First <= TimeSpan.Zero) return TimeSpan.Zero;
        var only = rung.Backoff is null ? null : rule.Id;
        var before = context.Recoveries.Count(e => Budgets.Counts(policy.Budget, e, context) && (only is null || e.Rule == only));
        return backoff.After(before);
    }
}
