using System.Collections.Immutable;

namespace TrainingSupervisor.Policies;

/// <summary>What is left of each budget that a failure is counted in.</summary>
internal static class Budgets
{
    private const string Node = "node ";

    public static ImmutableArray<BudgetUse> Of(RecoveryPolicy policy, FailureContext context)
    {
        var uses = ImmutableArray.CreateBuilder<BudgetUse>();
        var failure = context.Failure;
        void Add(string name, RecoveryBudget? budget, Func<RecoveryEntry, bool> of)
        {
            if (budget is not null) uses.Add(new BudgetUse(name, context.Recoveries.Count(e => of(e) && Counts(budget, e, context)), budget));
        }

        Add("gang", policy.Budget, _ => true);
        Add($"kind {failure.Kind}", policy.KindBudgets.GetValueOrDefault(failure.Kind), e => e.Kind == failure.Kind);
        if (failure.Worker is { } worker) Add($"worker {worker}", policy.WorkerBudget, e => e.Worker == worker);
        if (failure.Node is { } node && failure.Kind.MayBlameNode()) Add($"{Node}{node}", policy.NodeBudget, e => e.Node == node && e.Kind.MayBlameNode());
        return uses.ToImmutable();
    }

    public static bool Counts(RecoveryBudget budget, RecoveryEntry entry, FailureContext context) =>
        entry.At > context.Now - budget.Window && !RecoveryBudget.IsPaidBack(entry, budget.PaidBackAfter, context);

    public static bool IsNode(BudgetUse use) => use.Name.StartsWith(Node, StringComparison.Ordinal);

    public static string Spent(BudgetUse use) =>
        $"the budget of {use.Budget.Recoveries} recoveries within {DurationText.Write(use.Budget.Window)} of the {Owner(use)} is spent ({use.Used} counted)";

    /// <summary>How far back a policy can ask, so that nothing older need be kept.</summary>
    public static TimeSpan Memory(RecoveryPolicy policy) =>
        policy.Rules.Concat(RecoveryPolicy.Default.Rules).SelectMany(r => r.Rungs).Select(r => r.Within)
            .Concat(policy.KindBudgets.Values.Select(b => b.Window))
            .Append(policy.Budget.Window).Append(policy.WorkerBudget?.Window ?? TimeSpan.Zero).Append(policy.NodeBudget?.Window ?? TimeSpan.Zero)
            .Max();

    private static string Owner(BudgetUse use) => use.Name.StartsWith("kind ", StringComparison.Ordinal) ? $"gang for {use.Name[5..]}" : use.Name;
}
