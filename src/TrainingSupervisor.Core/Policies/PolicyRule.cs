using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor;

/// <summary>One rule of a policy: it answers a failure if all its conditions hold. A condition that is left empty holds always.</summary>
public sealed record PolicyRule
{
    internal PolicyRule()
    {
    }

    /// <summary>The user's name for the rule, or null. See <see cref="Id"/>.</summary>
    public string? Name { get; init; }

    /// <summary>The kinds that the rule is for; empty for all.</summary>
    public ImmutableArray<FailureKind> Kinds { get; init; } = [];

    /// <summary>The exit codes that the rule is for, 1 to 255; empty for all.</summary>
    public ImmutableArray<int> ExitCodes { get; init; } = [];

    /// <summary>The signals that the rule is for, 1 to 64; empty for all.</summary>
    public ImmutableArray<int> Signals { get; init; } = [];

    /// <summary>The role that the rule is for; null for all.</summary>
    public string? Role { get; init; }

    /// <summary>Labels that the failed worker's node must have, each with this value; empty for any node.</summary>
    public ImmutableSortedDictionary<string, string> NodeLabels { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// A regular expression (.NET, non-backtracking, multi-line) that must match somewhere in the last lines of the worker's stderr or in the
    /// failure's evidence; null for none.
    /// </summary>
    public string? Log
    {
        get;
        init
        {
            field = value;
            (Pattern, LogProblem) = LogPattern.Compile(value);
        }
    }

    /// <summary>The first attempt that the rule is for; 1 for all.</summary>
    public int FromAttempt { get; init; } = 1;

    /// <summary>A condition in code; null for none.</summary>
    public PolicyPredicate? Predicate { get; init; }

    /// <summary>The ladder: what is done, and what when it keeps happening. Never empty.</summary>
    public ImmutableArray<PolicyRung> Rungs { get; init; } = [];

    /// <summary>What recoveries are remembered by: the name, or the conditions in words. Unique in a policy.</summary>
    public string Id => Name ?? RuleText.Conditions(this);

    internal Regex? Pattern { get; private init; }

    internal string? LogProblem { get; private init; }

    internal bool HasOnlyKinds => ExitCodes.IsEmpty && Signals.IsEmpty && Role is null && NodeLabels.IsEmpty && Log is null && FromAttempt <= 1 && Predicate is null;

    internal bool Matches(FailureContext context)
    {
        var failure = context.Failure;
        return (Kinds.IsEmpty || Kinds.Contains(failure.Kind))
            && (ExitCodes.IsEmpty || (failure.ExitCode is { } code && ExitCodes.Contains(code)))
            && (Signals.IsEmpty || (failure.Signal is { } signal && Signals.Contains(signal)))
            && (Role is null || failure.Worker?.Role == Role)
            && NodeLabels.All(l => context.NodeLabels.GetValueOrDefault(l.Key) == l.Value)
            && (Log is null || (Pattern is { } pattern && (pattern.IsMatch(failure.StderrTail) || pattern.IsMatch(failure.Evidence))))
            && context.Attempt >= FromAttempt
            && (Predicate is null || Predicate.Holds(context));
    }

    /// <summary>The same conditions, in the same order, and the same ladder.</summary>
    /// <param name="other">Another rule.</param>
    public bool Equals(PolicyRule? other) =>
        other is not null && Name == other.Name && Kinds.AsSpan().SequenceEqual(other.Kinds.AsSpan())
        && ExitCodes.AsSpan().SequenceEqual(other.ExitCodes.AsSpan()) && Signals.AsSpan().SequenceEqual(other.Signals.AsSpan())
        && Role == other.Role && NodeLabels.SequenceEqual(other.NodeLabels) && Log == other.Log && FromAttempt == other.FromAttempt
        && Predicate == other.Predicate && Rungs.SequenceEqual(other.Rungs);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Kinds.Length, ExitCodes.Length, Role, Log, Rungs.Length);

    /// <summary>The rule as a sentence.</summary>
    public override string ToString() => RuleText.Sentence(this);
}
