namespace TrainingSupervisor;

/// <summary>
/// Describes the conditions of a rule; all must hold. <see cref="Use"/> ends them and says what is done. Of a condition that is given twice
/// the later one holds, except <see cref="OnNode"/>, which adds.
/// </summary>
public sealed class RuleBuilder
{
    internal RuleBuilder()
    {
    }

    internal PolicyRule Rule { get; private set; } = new();

    /// <summary>Gives the rule a name, by which recoveries are shown and remembered. Default its conditions in words.</summary>
    /// <param name="name">Unique in the policy.</param>
    public RuleBuilder Named(string name) => With(Rule with { Name = name });

    /// <summary>Only failures of these kinds.</summary>
    /// <param name="kinds">At least one.</param>
    public RuleBuilder OfKind(params IEnumerable<FailureKind> kinds)
    {
        ArgumentNullException.ThrowIfNull(kinds);
        Rule = Rule with { Kinds = [.. kinds] };
        return Rule.Kinds.IsEmpty ? throw new ArgumentException("No kind is given, and that would match every failure.", nameof(kinds)) : this;
    }

    /// <summary>Only workers that end with one of these exit codes. A worker that a signal ends has 128 and the signal's number.</summary>
    /// <param name="exitCodes">1 to 255; at least one.</param>
    public RuleBuilder WithExitCode(params IEnumerable<int> exitCodes)
    {
        ArgumentNullException.ThrowIfNull(exitCodes);
        Rule = Rule with { ExitCodes = [.. exitCodes] };
        return Rule.ExitCodes.IsEmpty ? throw new ArgumentException("No exit code is given, and that would match every failure.", nameof(exitCodes)) : this;
    }

    /// <summary>Only workers that one of these signals ends.</summary>
    /// <param name="signals">1 to 64, as Linux numbers them; at least one.</param>
    public RuleBuilder WithSignal(params IEnumerable<int> signals)
    {
        ArgumentNullException.ThrowIfNull(signals);
        Rule = Rule with { Signals = [.. signals] };
        return Rule.Signals.IsEmpty ? throw new ArgumentException("No signal is given, and that would match every failure.", nameof(signals)) : this;
    }

    /// <summary>Only workers of this role.</summary>
    /// <param name="role">The role's name.</param>
    public RuleBuilder InRole(string role) => With(Rule with { Role = NotNull(role) });

    /// <summary>Only workers on nodes with this label. Several must all hold.</summary>
    /// <param name="label">The label's key.</param>
    /// <param name="value">Its value.</param>
    public RuleBuilder OnNode(string label, string value) => With(Rule with { NodeLabels = Rule.NodeLabels.SetItem(NotNull(label), NotNull(value)) });

    /// <summary>Only failures whose log matches: the last lines of the worker's stderr, or the failure's evidence.</summary>
    /// <param name="pattern">A regular expression of .NET without look-around and back-references; <c>^</c> and <c>$</c> are ends of lines.</param>
    public RuleBuilder WithLog(string pattern) => With(Rule with { Log = NotNull(pattern) });

    /// <summary>Only from this attempt on.</summary>
    /// <param name="attempt">1 or more.</param>
    public RuleBuilder FromAttempt(int attempt) => With(Rule with { FromAttempt = attempt });

    /// <summary>Only if this holds. The rule cannot be written as JSON or YAML.</summary>
    /// <param name="description">The condition in words, as it reads after "when".</param>
    /// <param name="holds">The condition. It must depend on nothing but the context, and must not throw.</param>
    public RuleBuilder Where(string description, Func<FailureContext, bool> holds) =>
        With(Rule with { Predicate = new PolicyPredicate(NotNull(description), NotNull(holds)) });

    /// <summary>Ends the conditions: what is done when they hold.</summary>
    /// <param name="strategy">What to do.</param>
    public RungBuilder Use(RecoveryStrategy strategy)
    {
        Rule = Rule with { Rungs = [new PolicyRung(strategy)] };
        return new RungBuilder(this);
    }

    internal RuleBuilder With(PolicyRule rule)
    {
        Rule = rule;
        return this;
    }

    private static T NotNull<T>(T value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value;
    }
}
