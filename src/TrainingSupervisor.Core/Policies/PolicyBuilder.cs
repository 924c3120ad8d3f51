namespace TrainingSupervisor;

/// <summary>
/// Describes a recovery policy. Rules are tried in the order in which they are added; the first that matches decides. What none matches is
/// answered by <see cref="RecoveryPolicy.Default"/>. Nothing is checked until the gang is built.
/// </summary>
public sealed class PolicyBuilder
{
    internal PolicyBuilder(RecoveryPolicy policy) => Policy = policy;

    internal RecoveryPolicy Policy { get; private set; }

    /// <summary>Adds a rule for one kind of failure.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder On(FailureKind kind, RecoveryStrategy strategy) => On([kind], r => r.Use(strategy));

    /// <summary>Adds a rule for one kind of failure.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="rule">Further conditions, then what to do.</param>
    public PolicyBuilder On(FailureKind kind, Func<RuleBuilder, RungBuilder> rule) => On([kind], rule);

    /// <summary>Adds a rule for some kinds of failure.</summary>
    /// <param name="kinds">The kinds; at least one.</param>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder On(IEnumerable<FailureKind> kinds, RecoveryStrategy strategy) => On(kinds, r => r.Use(strategy));

    /// <summary>Adds a rule for some kinds of failure.</summary>
    /// <param name="kinds">The kinds; at least one.</param>
    /// <param name="rule">Further conditions, then what to do.</param>
    public PolicyBuilder On(IEnumerable<FailureKind> kinds, Func<RuleBuilder, RungBuilder> rule) => Add(r => r.OfKind(kinds), rule);

    /// <summary>Adds a rule for workers that end with one of these exit codes. A worker that a signal ends has 128 and the signal's number.</summary>
    /// <param name="exitCodes">1 to 255; at least one.</param>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder OnExitCode(IEnumerable<int> exitCodes, RecoveryStrategy strategy) => OnExitCode(exitCodes, r => r.Use(strategy));

    /// <summary>Adds a rule for workers that end with one of these exit codes. A worker that a signal ends has 128 and the signal's number.</summary>
    /// <param name="exitCodes">1 to 255; at least one.</param>
    /// <param name="rule">Further conditions, then what to do.</param>
    public PolicyBuilder OnExitCode(IEnumerable<int> exitCodes, Func<RuleBuilder, RungBuilder> rule) => Add(r => r.WithExitCode(exitCodes), rule);

    /// <summary>Adds a rule for workers that one of these signals ends.</summary>
    /// <param name="signals">1 to 64, as Linux numbers them; at least one.</param>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder OnSignal(IEnumerable<int> signals, RecoveryStrategy strategy) => OnSignal(signals, r => r.Use(strategy));

    /// <summary>Adds a rule for workers that one of these signals ends.</summary>
    /// <param name="signals">1 to 64, as Linux numbers them; at least one.</param>
    /// <param name="rule">Further conditions, then what to do.</param>
    public PolicyBuilder OnSignal(IEnumerable<int> signals, Func<RuleBuilder, RungBuilder> rule) => Add(r => r.WithSignal(signals), rule);

    /// <summary>Adds a rule for failures whose log matches: the last lines of the worker's stderr, or the failure's evidence.</summary>
    /// <param name="pattern">A regular expression of .NET without look-around and back-references; <c>^</c> and <c>$</c> are ends of lines.</param>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder OnLog(string pattern, RecoveryStrategy strategy) => OnLog(pattern, r => r.Use(strategy));

    /// <summary>Adds a rule for failures whose log matches: the last lines of the worker's stderr, or the failure's evidence.</summary>
    /// <param name="pattern">A regular expression of .NET without look-around and back-references; <c>^</c> and <c>$</c> are ends of lines.</param>
    /// <param name="rule">Further conditions, then what to do.</param>
    public PolicyBuilder OnLog(string pattern, Func<RuleBuilder, RungBuilder> rule) => Add(r => r.WithLog(pattern), rule);

    /// <summary>Adds a rule for whatever no earlier rule has matched. It also replaces the defaults.</summary>
    /// <param name="strategy">What to do.</param>
    public PolicyBuilder OnAny(RecoveryStrategy strategy) => OnAny(r => r.Use(strategy));

    /// <summary>Adds a rule for any failure that meets its conditions.</summary>
    /// <param name="rule">Conditions, then what to do. Without conditions it also replaces the defaults.</param>
    public PolicyBuilder OnAny(Func<RuleBuilder, RungBuilder> rule) => Add(r => r, rule);

    /// <summary>Sets how many recoveries the gang may have within a window; one more fails it. Default 20 in an hour.</summary>
    /// <param name="recoveries">Zero or more.</param>
    /// <param name="window">More than zero.</param>
    /// <param name="paidBackAfter">The steps of progress after which a recovery counts no more; 0 for never.</param>
    public PolicyBuilder WithBudget(int recoveries, TimeSpan window, int paidBackAfter = RecoveryBudget.DefaultPaidBackAfter) =>
        Set(Policy with { Budget = new(recoveries, window, paidBackAfter) });

    /// <summary>Sets how many recoveries the gang may have for one kind of failure within a window; one more fails it. Default no such budget.</summary>
    /// <param name="kind">The kind of the first cause.</param>
    /// <param name="recoveries">Zero or more.</param>
    /// <param name="window">More than zero.</param>
    /// <param name="paidBackAfter">The steps of progress after which a recovery counts no more; 0 for never.</param>
    public PolicyBuilder WithKindBudget(FailureKind kind, int recoveries, TimeSpan window, int paidBackAfter = RecoveryBudget.DefaultPaidBackAfter) =>
        Set(Policy with { KindBudgets = Policy.KindBudgets.SetItem(kind, new(recoveries, window, paidBackAfter)) });

    /// <summary>Sets how many recoveries each worker may cause within a window; one more fails the gang. Default no such budget.</summary>
    /// <param name="recoveries">Zero or more.</param>
    /// <param name="window">More than zero.</param>
    /// <param name="paidBackAfter">The steps of progress after which a recovery counts no more; 0 for never.</param>
    public PolicyBuilder WithWorkerBudget(int recoveries, TimeSpan window, int paidBackAfter = RecoveryBudget.DefaultPaidBackAfter) =>
        Set(Policy with { WorkerBudget = new(recoveries, window, paidBackAfter) });

    /// <summary>
    /// Sets how many recoveries may begin on each node, within a window, with a failure that may be the node's fault. The next one moves the
    /// worker and quarantines the node. Default 3 in 24 hours.
    /// </summary>
    /// <param name="recoveries">Zero or more.</param>
    /// <param name="window">More than zero.</param>
    /// <param name="paidBackAfter">The steps of progress after which a recovery counts no more; 0, the default, for never.</param>
    public PolicyBuilder WithNodeBudget(int recoveries, TimeSpan window, int paidBackAfter = 0) =>
        Set(Policy with { NodeBudget = new(recoveries, window, paidBackAfter) });

    /// <summary>Never quarantines a node for how often recoveries begin on it.</summary>
    public PolicyBuilder WithoutNodeBudget() => Set(Policy with { NodeBudget = null });

    /// <summary>Sets the wait before the second recovery in a row; it doubles with each further one. Default none.</summary>
    /// <param name="first">The first wait.</param>
    /// <param name="longest">The longest wait. Default five minutes, or the first wait if that is longer.</param>
    public PolicyBuilder WithBackoff(TimeSpan first, TimeSpan? longest = null) => Set(Policy with { Backoff = RungBuilder.Between(first, longest) });

    private PolicyBuilder Add(Func<RuleBuilder, RuleBuilder> condition, Func<RuleBuilder, RungBuilder> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        var rung = rule(condition(new RuleBuilder())) ?? throw new ArgumentException("The rule must end with what to do: r => r.Use(...).", nameof(rule));
        return Set(Policy with { Rules = Policy.Rules.Add(rung.Rule) });
    }

    private PolicyBuilder Set(RecoveryPolicy policy)
    {
        Policy = policy;
        return this;
    }
}
