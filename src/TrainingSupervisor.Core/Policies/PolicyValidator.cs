using System.Collections.Immutable;

namespace TrainingSupervisor.Policies;

/// <summary>Every mistake in a policy at once, each with its path and what would be right.</summary>
internal static class PolicyValidator
{
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(30);

    /// <param name="policy">The policy.</param>
    /// <param name="prefix">What comes before <c>rules[0]</c> in a path.</param>
    /// <param name="roles">The gang's roles; none while it is not known which gang the policy is for.</param>
    /// <param name="found">Where the mistakes go.</param>
    public static void Validate(RecoveryPolicy policy, string prefix, ImmutableArray<RoleSpec> roles, ImmutableArray<SpecProblem>.Builder found)
    {
        void Check(bool right, string path, string message)
        {
            if (!right) found.Add(new SpecProblem(prefix + path, message));
        }

        for (var i = 0; i < policy.Rules.Length; i++)
        {
            var rule = policy.Rules[i];
            Conditions(rule, $"rules[{i}]", roles, Check);
            for (var j = 0; j < rule.Rungs.Length; j++) Rung(rule, j, RungPath(i, j), roles, Check);
            Check(!rule.Rungs.IsEmpty, $"rules[{i}].use", "The rule does not say what to do; name a strategy.");
            Reachable(policy.Rules, i, Check);
        }

        Budget(policy.Budget, "budget", Check);
        foreach (var (kind, budget) in policy.KindBudgets) Budget(budget, $"kindBudgets.{kind}", Check);
        if (policy.WorkerBudget is { } worker) Budget(worker, "workerBudget", Check);
        if (policy.NodeBudget is { } node) Budget(node, "nodeBudget", Check);
        Backoff(policy.Backoff, "backoff", Check);
    }

    internal static string RungPath(int rule, int rung) => rung == 0 ? $"rules[{rule}]" : $"rules[{rule}].then[{rung - 1}]";

    private static void Conditions(PolicyRule rule, string path, ImmutableArray<RoleSpec> roles, Action<bool, string, string> check)
    {
        check(rule.Name is null || !string.IsNullOrWhiteSpace(rule.Name), $"{path}.name", "The name is empty; leave it out for none.");
        for (var i = 0; i < rule.Kinds.Length; i++)
        {
            check(Enum.IsDefined(rule.Kinds[i]), $"{path}.kinds[{i}]", $"{rule.Kinds[i]} is no kind of failure.");
        }

        for (var i = 0; i < rule.ExitCodes.Length; i++)
        {
            check(rule.ExitCodes[i] is > 0 and < 256, $"{path}.exitCodes[{i}]", $"{rule.ExitCodes[i]} is no exit code of a failure; use 1 to 255.");
        }

        for (var i = 0; i < rule.Signals.Length; i++)
        {
            check(rule.Signals[i] is > 0 and < 65, $"{path}.signals[{i}]", $"{rule.Signals[i]} is no signal; use 1 to 64.");
        }

        check(rule.Role is null || roles.IsDefaultOrEmpty || roles.Any(r => r.Name == rule.Role), $"{path}.role",
            $"There is no role '{rule.Role}'; the roles are {(roles.IsDefault ? "" : string.Join(", ", roles.Select(r => r.Name)))}.");
        foreach (var label in rule.NodeLabels.Keys) check(label.Length > 0, $"{path}.nodeLabels", "A label has no key.");
        check(rule.LogProblem is null, $"{path}.log", $"'{rule.Log}' is no pattern that can be used: {rule.LogProblem}");
        check(rule.FromAttempt >= 1, $"{path}.fromAttempt", $"{rule.FromAttempt} is no attempt; they are counted from 1.");
    }

    private static void Rung(PolicyRule rule, int index, string path, ImmutableArray<RoleSpec> roles, Action<bool, string, string> check)
    {
        var rung = rule.Rungs[index];
        check(Enum.IsDefined(rung.Strategy), $"{path}.use", $"{rung.Strategy} is no strategy.");
        check(rung.Per == RepeatScope.Gang || Enum.IsDefined(rung.Per), $"{path}.per", $"{rung.Per} is not one of Gang, Worker and Node.");
        if (index > 0)
        {
            check(rung.After is > 0 and <= GangDecisions.MostKept, $"{path}.after", $"{rung.After} recoveries; use 1 to {GangDecisions.MostKept}.");
            check(IsWindow(rung.Within), $"{path}.within", Window(rung.Within));
            var before = rule.Rungs[index - 1].Strategy;
            check(before is not (RecoveryStrategy.FailGang or RecoveryStrategy.Ignore), path,
                $"This rung is never reached: {before} before it is no recovery, and recoveries are what leads to it.");
        }

        check(rung.Quiesce is null || rung.Quiesce >= TimeSpan.Zero, $"{path}.quiesce", $"{DurationText.Write(rung.Quiesce ?? default)} must not be negative.");
        if (rung.Backoff is { } backoff) Backoff(backoff, $"{path}.backoff", check);
        var idle = rung.Strategy is RecoveryStrategy.FailGang or RecoveryStrategy.Ignore;
        check(!idle || !(rung.AvoidNode || rung.CheckHealth || rung.Quiesce is not null || rung.Backoff is not null), $"{path}.use",
            $"{rung.Strategy} restarts nothing; leave out how (avoidNode, quiesce, checkHealth, backoff).");
        if (!roles.IsDefaultOrEmpty) RolePart(rule, rung, path, roles, check);
    }

    /// <summary>What a strategy or modifier needs of the roles that the rule is for.</summary>
    private static void RolePart(PolicyRule rule, PolicyRung rung, string path, ImmutableArray<RoleSpec> roles, Action<bool, string, string> check)
    {
        var meant = roles.Where(r => rule.Role is null || r.Name == rule.Role).ToList();
        if (meant.Count == 0) return;
        void Needs(string field, string name, Func<RoleSpec, bool> has, string what, string instead) => check(meant.Any(has), $"{path}.{field}",
            $"{name} needs {what}, and {(rule.Role is null ? "no role of the gang has that" : $"role '{rule.Role}' has not")}; {instead}.");

        switch (rung.Strategy)
        {
            case RecoveryStrategy.ReplaceWithSpare:
                Needs("use", "ReplaceWithSpare", r => r.AllSpares > 0, "spares", "add WithSpares, or use RecreateFailed");
                break;
            case RecoveryStrategy.RestartCell:
                Needs("use", "RestartCell", r => r.CellSize > 0, "cells", "divide the role into cells, or use Hybrid");
                break;
            case RecoveryStrategy.ShrinkGang:
                Needs("use", "ShrinkGang", r => r.IsElastic, "a least number of workers", "say how few the role may go on with, or use Hybrid");
                break;
            default:
                break;
        }

        if (rung.CheckHealth) Needs("checkHealth", "This", r => r.HealthCheck is not null, "a health check's command", "give the role one, or leave this out");
    }

    /// <summary>A rule that an earlier one, or several together, never let anything through to.</summary>
    private static void Reachable(ImmutableArray<PolicyRule> rules, int index, Action<bool, string, string> check)
    {
        var rule = rules[index];
        var same = rules.Take(index).ToList().FindIndex(r => r.Id == rule.Id);
        var catchers = new SortedSet<int>();
        foreach (var kind in rule.Kinds.IsEmpty ? Enum.GetValues<FailureKind>() : rule.Kinds.AsEnumerable())
        {
            var earlier = rules.Take(index).ToList().FindIndex(r => Covers(r, rule, kind));
            if (earlier < 0)
            {
                check(same < 0 || rule.Name is null, $"rules[{index}].name", $"rules[{same}] is named '{rule.Id}' too, and recoveries are remembered by the rule's name; give each its own.");
                return;
            }

            catchers.Add(earlier);
        }

        check(false, $"rules[{index}]",
            $"The rule never matches: {string.Join(" and ", catchers.Select(c => $"rules[{c}]"))} before it answers all that it is for. Put it earlier, or leave it out.");
    }

    /// <summary>Whether every failure of this kind that the later rule is for meets the earlier one's conditions.</summary>
    private static bool Covers(PolicyRule earlier, PolicyRule later, FailureKind kind) =>
        (earlier.Kinds.IsEmpty || earlier.Kinds.Contains(kind))
        && Within(later.ExitCodes, earlier.ExitCodes) && Within(later.Signals, earlier.Signals)
        && (earlier.Role is null || earlier.Role == later.Role)
        && earlier.NodeLabels.All(l => later.NodeLabels.GetValueOrDefault(l.Key) == l.Value)
        && (earlier.Log is null || earlier.Log == later.Log)
        && later.FromAttempt >= earlier.FromAttempt
        && (earlier.Predicate is null || earlier.Predicate == later.Predicate);

    private static bool Within(ImmutableArray<int> inner, ImmutableArray<int> outer) => outer.IsEmpty || (!inner.IsEmpty && inner.All(outer.Contains));

    private static void Budget(RecoveryBudget budget, string path, Action<bool, string, string> check)
    {
        check(budget.Recoveries is >= 0 and <= GangDecisions.MostKept, $"{path}.recoveries",
            $"{budget.Recoveries} recoveries; use 0 to {GangDecisions.MostKept}; 0 allows none.");
        check(IsWindow(budget.Window), $"{path}.window", Window(budget.Window));
        check(budget.PaidBackAfter >= 0, $"{path}.paidBackAfter", $"{budget.PaidBackAfter} must not be negative; 0 is never.");
    }

    private static void Backoff(RecoveryBackoff backoff, string path, Action<bool, string, string> check)
    {
        check(backoff.First >= TimeSpan.Zero, $"{path}.first", $"{DurationText.Write(backoff.First)} must not be negative; 0s is none.");
        check(backoff.Longest >= backoff.First, $"{path}.longest",
            $"{DurationText.Write(backoff.Longest)} is less than the first wait, {DurationText.Write(backoff.First)}.");
        check(backoff.Longest <= LongestWindow, $"{path}.longest", $"{DurationText.Write(backoff.Longest)}; use at most {DurationText.Write(LongestWindow)}.");
    }

    private static bool IsWindow(TimeSpan window) => window > TimeSpan.Zero && window <= LongestWindow;

    private static string Window(TimeSpan window) => $"{DurationText.Write(window)}; use more than zero and at most {DurationText.Write(LongestWindow)}.";
}
