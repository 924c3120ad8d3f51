using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>What a policy says about a failure, and why.</summary>
/// <param name="Strategy">What is done.</param>
public sealed record PolicyDecision(RecoveryStrategy Strategy)
{
    /// <summary>The rule that answered, its rung, and whatever overruled it, in words.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The name of the rule that answered.</summary>
    public string Rule { get; init; } = "";

    /// <summary>Whether that is one of <see cref="RecoveryPolicy.Default"/>, and not one of the user's.</summary>
    public bool IsDefault { get; init; }

    /// <summary>The rung of the rule's ladder, from 0.</summary>
    public int Rung { get; init; }

    /// <summary>The failed worker gets a new Pod on another node, and its node is quarantined.</summary>
    public bool AvoidNode { get; init; }

    /// <summary>How long surviving workers get to save before they are restarted; zero for not at all.</summary>
    public TimeSpan Quiesce { get; init; }

    /// <summary>A worker stays in its Pod only if the role's health check passes there.</summary>
    public bool CheckHealth { get; init; }

    /// <summary>Workers may start no sooner than this: backoff between recoveries.</summary>
    public DateTimeOffset NotBefore { get; init; }

    /// <summary>The budgets that this recovery is counted in, as they stood before it.</summary>
    public ImmutableArray<BudgetUse> Budgets { get; init; } = [];
}

/// <summary>How far a budget is spent.</summary>
/// <param name="Name">Whose: <c>gang</c>, <c>kind OutOfMemory</c>, <c>worker trainer-3</c>, <c>node node-7</c>.</param>
/// <param name="Used">Recoveries that count, without those that progress has paid back.</param>
/// <param name="Budget">The budget.</param>
public sealed record BudgetUse(string Name, int Used, RecoveryBudget Budget)
{
    /// <summary>Whether no further recovery is left in it.</summary>
    public bool IsSpent => Used >= Budget.Recoveries;
}
