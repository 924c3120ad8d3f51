using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>
/// The exit codes of a sidecar role's worker after which its Pod may begin to restart in place at once, without a word from the supervisor:
/// those for which the policy says so whatever else is true of the failure. Pure, and the same for the Pod's rules and for the machine.
/// </summary>
internal static class RestartCodes
{
    private const int StartError = 128, Killed = 137;

    public static ImmutableArray<int> Of(GangSpec spec, RoleSpec role) =>
        [.. Enumerable.Range(1, 255).Where(code => Has(spec, role, code))];

    /// <summary>Whether this code, 1 to 255, is one of them.</summary>
    public static bool Has(GangSpec spec, RoleSpec role, int code) =>
        code != RestartDetector.RestartExitCode && KindsOf(code).All(kind => InPlace(spec.Policy, role, kind, code));

    /// <summary>What an exit with this code can be, as a Pod's status is read (<see cref="PodDetector.ExitOf"/>).</summary>
    private static FailureKind[] KindsOf(int code) => code switch
    {
        < StartError or > PodDetector.LastSignalCode => [FailureKind.ApplicationError],
        StartError => [FailureKind.ApplicationError, FailureKind.StartError],
        Killed => [FailureKind.Killed, FailureKind.OutOfMemory],
        _ => [FailureKind.Killed],
    };

    /// <summary>First match wins, as when it happens. A rule of which it is not known whether it will match must agree with what comes after it.</summary>
    private static bool InPlace(RecoveryPolicy policy, RoleSpec role, FailureKind kind, int code)
    {
        foreach (var rule in policy.Rules.Concat(RecoveryPolicy.Default.Rules))
        {
            if (!MayMatch(rule, kind, code, role.Name, out var certain)) continue;
            // Every rung of a ladder must agree: nobody knows beforehand which it will be.
            var inPlace = rule.Rungs.All(r => !r.AvoidNode
                && r.Strategy is RecoveryStrategy.Hybrid or RecoveryStrategy.RestartGangInPlace or RecoveryStrategy.RestartProcesses or RecoveryStrategy.RestartCell);
            if (certain || !inPlace) return inPlace;
        }

        return false;
    }

    /// <summary>Whether the rule may match an exit of which only this is known; certain if it does whatever else is true.</summary>
    private static bool MayMatch(PolicyRule rule, FailureKind kind, int code, string role, out bool certain)
    {
        certain = rule.NodeLabels.IsEmpty && rule.Log is null && rule.FromAttempt <= 1 && rule.Predicate is null;
        return (rule.Signals.IsEmpty || (code <= PodDetector.LastSignalCode && rule.Signals.Contains(code - 128)))
            && (rule.Kinds.IsEmpty || rule.Kinds.Contains(kind)) && (rule.ExitCodes.IsEmpty || rule.ExitCodes.Contains(code)) && (rule.Role is null || rule.Role == role);
    }
}
