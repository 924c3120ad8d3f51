using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>What to do about failures: the first rule that matches, else the default for the kind. Made by <see cref="PolicyBuilder"/>.</summary>
public sealed record RecoveryPolicy
{
    internal RecoveryPolicy()
    {
    }

    /// <summary>The rules, in the order in which they are tried.</summary>
    public ImmutableArray<PolicyRule> Rules { get; init; } = [];

    /// <summary>How many recoveries the gang may have within <see cref="BudgetWindow"/>; one more fails it. Default 20.</summary>
    public int Budget { get; init; } = 20;

    /// <summary>The window that <see cref="Budget"/> counts in. Default one hour.</summary>
    public TimeSpan BudgetWindow { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// The wait before the second recovery in a row; it doubles with each further one within the budget's window. Default zero for none.
    /// The kubelet applies no backoff of its own to restarts in place.
    /// </summary>
    public TimeSpan Backoff { get; init; }

    /// <summary>The longest backoff. Default five minutes.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>One rule of a policy.</summary>
/// <param name="Strategy">What is done when the rule matches.</param>
public sealed record PolicyRule(RecoveryStrategy Strategy)
{
    /// <summary>The kinds that the rule is for; empty for all.</summary>
    public ImmutableArray<FailureKind> Kinds { get; init; } = [];

    /// <summary>The exit codes that the rule is for; empty for all.</summary>
    public ImmutableArray<int> ExitCodes { get; init; } = [];

    /// <summary>The role that the rule is for; null for all.</summary>
    public string? Role { get; init; }

    internal bool Matches(Failure failure) =>
        (Kinds.IsEmpty || Kinds.Contains(failure.Kind))
        && (ExitCodes.IsEmpty || (failure.ExitCode is { } code && ExitCodes.Contains(code)))
        && (Role is null || failure.Worker?.Role == Role);

    /// <summary>The rule as a sentence.</summary>
    public override string ToString()
    {
        var on = Kinds.IsEmpty ? "any failure" : string.Join(" or ", Kinds);
        var codes = ExitCodes.IsEmpty ? "" : $" with exit code {string.Join(" or ", ExitCodes)}";
        return $"on {on}{codes}{(Role is null ? "" : $" in role {Role}")}: {Strategy}";
    }
}
