namespace TrainingSupervisor;

/// <summary>Describes how a strategy is carried out, and with <see cref="Then"/> what is done when it keeps not helping.</summary>
public sealed class RungBuilder
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(5);

    private readonly RuleBuilder _rule;

    internal RungBuilder(RuleBuilder rule) => _rule = rule;

    internal PolicyRule Rule => _rule.Rule;

    /// <summary>Gives the failed worker a new Pod on another node, and quarantines its node.</summary>
    public RungBuilder AvoidNode() => With(r => r with { AvoidNode = true });

    /// <summary>Asks surviving workers to save before they are restarted, and waits for their answer.</summary>
    /// <param name="deadline">How long at most; more than zero. Default is what the gang says in WithQuiesce.</param>
    public RungBuilder Quiesce(TimeSpan deadline) => With(r => r with { Quiesce = deadline });

    /// <summary>Restarts surviving workers at once, even if the gang says WithQuiesce.</summary>
    public RungBuilder WithoutQuiesce() => With(r => r with { Quiesce = TimeSpan.Zero });

    /// <summary>Keeps a worker in its Pod only if the role's health check passes there.</summary>
    public RungBuilder CheckHealth() => With(r => r with { CheckHealth = true });

    /// <summary>Sets the wait before the second recovery in a row that this rule answers; it doubles with each further one. Default is the policy's.</summary>
    /// <param name="first">The first wait; zero for none.</param>
    /// <param name="longest">The longest wait. Default five minutes, or the first wait if that is longer.</param>
    public RungBuilder Backoff(TimeSpan first, TimeSpan? longest = null) => With(r => r with { Backoff = Between(first, longest) });

    /// <summary>
    /// Adds a rung: once the strategy before it has answered so many recoveries within the window, this one takes over. What follows refines
    /// this rung.
    /// </summary>
    /// <param name="strategy">What to do then.</param>
    /// <param name="after">1 or more: the recoveries that this rule has answered on the rung before, or on a later one.</param>
    /// <param name="within">How far back they count.</param>
    /// <param name="per">Whose they are. Default the whole gang's.</param>
    public RungBuilder Then(RecoveryStrategy strategy, int after, TimeSpan within, RepeatScope per = RepeatScope.Gang)
    {
        _rule.With(Rule with { Rungs = Rule.Rungs.Add(new PolicyRung(strategy) { After = after, Within = within, Per = per }) });
        return this;
    }

    internal static RecoveryBackoff Between(TimeSpan first, TimeSpan? longest) => new(first, longest ?? (first > LongestBackoff ? first : LongestBackoff));

    private RungBuilder With(Func<PolicyRung, PolicyRung> change)
    {
        _rule.With(Rule with { Rungs = Rule.Rungs.SetItem(Rule.Rungs.Length - 1, change(Rule.Rungs[^1])) });
        return this;
    }
}
