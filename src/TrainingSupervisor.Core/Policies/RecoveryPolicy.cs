using System.Collections.Immutable;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor;

/// <summary>
/// What to do about failures: the first rule that matches, else the first of <see cref="Default"/> that does. Made by
/// <see cref="PolicyBuilder"/>, or read from JSON or YAML.
/// </summary>
public sealed record RecoveryPolicy
{
    internal RecoveryPolicy()
    {
    }

    /// <summary>The rules that follow after every policy's own: the default for each kind of failure. The last one matches everything.</summary>
    public static RecoveryPolicy Default { get; } = DefaultRules.Make();

    /// <summary>The rules, in the order in which they are tried.</summary>
    public ImmutableArray<PolicyRule> Rules { get; init; } = [];

    /// <summary>How many recoveries the gang may have; one more fails it. Default 20 in an hour.</summary>
    public RecoveryBudget Budget { get; init; } = new(20, TimeSpan.FromHours(1));

    /// <summary>How many recoveries the gang may have whose first cause is of one kind; one more fails it. Default none.</summary>
    public ImmutableSortedDictionary<FailureKind, RecoveryBudget> KindBudgets { get; init; } = ImmutableSortedDictionary<FailureKind, RecoveryBudget>.Empty;

    /// <summary>How many recoveries one worker may cause; one more fails the gang. Default null for no such budget.</summary>
    public RecoveryBudget? WorkerBudget { get; init; }

    /// <summary>
    /// How many recoveries may begin on one node with a failure that may be the node's fault. The next one does not fail the gang: the worker
    /// moves and the node is quarantined. Default 3 in 24 hours, not paid back by progress, which says nothing of a node; null for none.
    /// </summary>
    public RecoveryBudget? NodeBudget { get; init; } = new(3, TimeSpan.FromHours(24), PaidBackAfter: 0);

    /// <summary>The wait between recoveries that progress has not paid back, where the rule says nothing else. Default none; the kubelet has none either.</summary>
    public RecoveryBackoff Backoff { get; init; } = new(TimeSpan.Zero, TimeSpan.FromMinutes(5));

    /// <summary>Makes a policy.</summary>
    /// <param name="configure">Adds rules, in the order in which they are tried.</param>
    public static RecoveryPolicy Create(Action<PolicyBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new PolicyBuilder(new RecoveryPolicy());
        configure(builder);
        return builder.Policy;
    }

    /// <summary>Reads a policy from YAML or JSON, in the names of <see cref="ToJson"/> (docs/policy.md).</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="InvalidPolicyException">There are mistakes; it names all of them, each with its path and line and what would be right.</exception>
    public static RecoveryPolicy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return PolicyReader.Read(text);
    }

    /// <summary>The policy as JSON, indented, without the defaults that follow after its rules.</summary>
    /// <exception cref="InvalidPolicyException">A rule has a condition in code.</exception>
    public string ToJson() => PolicyWriter.Json(this);

    /// <summary>The policy as YAML, with the same names as the JSON.</summary>
    /// <exception cref="InvalidPolicyException">A rule has a condition in code.</exception>
    public string ToYaml() => PolicyWriter.Yaml(this);

    /// <summary>What to do about a failure, and why. Pure: the running supervisor decides by this and nothing else.</summary>
    /// <param name="context">The failure and what is known besides.</param>
    public PolicyDecision Decide(FailureContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return PolicyEvaluator.Decide(this, context);
    }

    /// <summary>The same rules in the same order, and the same budgets and backoff.</summary>
    /// <param name="other">Another policy.</param>
    public bool Equals(RecoveryPolicy? other) =>
        other is not null && Rules.SequenceEqual(other.Rules) && Budget == other.Budget && KindBudgets.SequenceEqual(other.KindBudgets)
        && WorkerBudget == other.WorkerBudget && NodeBudget == other.NodeBudget && Backoff == other.Backoff;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rules.Length, Budget, KindBudgets.Count, WorkerBudget, NodeBudget, Backoff);
}
