namespace TrainingSupervisor;

/// <summary>Describes a recovery policy. Rules are tried in the order in which they are added; the first that matches decides.</summary>
public sealed class PolicyBuilder
{
    internal PolicyBuilder(RecoveryPolicy policy) => Policy = policy;

    internal RecoveryPolicy Policy { get; private set; }

    /// <summary>Adds a rule for one kind of failure.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="strategy">What to do.</param>
    /// <param name="role">Only for this role; null for all.</param>
    public PolicyBuilder OnFailure(FailureKind kind, RecoveryStrategy strategy, string? role = null) =>
        Add(new PolicyRule(strategy) { Kinds = [kind], Role = role });

    /// <summary>Adds a rule for workers that exit with one of these codes.</summary>
    /// <param name="exitCodes">1 to 255.</param>
    /// <param name="strategy">What to do.</param>
    /// <param name="role">Only for this role; null for all.</param>
    public PolicyBuilder OnExitCode(IEnumerable<int> exitCodes, RecoveryStrategy strategy, string? role = null)
    {
        ArgumentNullException.ThrowIfNull(exitCodes);
        return Add(new PolicyRule(strategy) { Kinds = [FailureKind.ApplicationError], ExitCodes = [.. exitCodes], Role = role });
    }

    /// <summary>Adds a rule for whatever no earlier rule matched.</summary>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder OnAnyFailure(RecoveryStrategy strategy) => Add(new PolicyRule(strategy));

    /// <summary>Sets how many recoveries the gang may have within a window; one more fails it. Default 20 in an hour.</summary>
    /// <param name="recoveries">Zero or more.</param>
    /// <param name="window">More than zero.</param>
    public PolicyBuilder WithBudget(int recoveries, TimeSpan window) => Set(Policy with { Budget = recoveries, BudgetWindow = window });

    /// <summary>Sets the wait before the second recovery in a row; it doubles with each further one. Default none.</summary>
    /// <param name="first">The first wait.</param>
    /// <param name="longest">The longest wait. Default five minutes.</param>
    public PolicyBuilder WithBackoff(TimeSpan first, TimeSpan? longest = null) =>
        Set(Policy with { Backoff = first, MaxBackoff = longest ?? Policy.MaxBackoff });

    private PolicyBuilder Add(PolicyRule rule) => Set(Policy with { Rules = Policy.Rules.Add(rule) });

    private PolicyBuilder Set(RecoveryPolicy policy)
    {
        Policy = policy;
        return this;
    }
}
