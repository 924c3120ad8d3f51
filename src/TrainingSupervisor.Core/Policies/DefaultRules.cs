using static TrainingSupervisor.FailureKind;
using static TrainingSupervisor.RecoveryStrategy;

namespace TrainingSupervisor.Policies;

/// <summary>The default for each kind (docs/policy.md).</summary>
internal static class DefaultRules
{
    public static RecoveryPolicy Make()
    {
        var hour = TimeSpan.FromHours(1);
        var day = TimeSpan.FromHours(24);
        return RecoveryPolicy.Create(p => p
            // Not cured by trying again: the gang fails with Kubernetes' own message.
            .On([ImageUnavailable, InvalidPod, StartError], FailGang)
            // A leak comes back at the same place; trying for ever would hide that the limit is too low.
            .On(OutOfMemory, r => r.Use(Hybrid).Then(FailGang, after: 3, within: hour))
            .On(Straggler, Ignore)
            .On([Evicted, Preempted, PodDeleted, NodeDraining], Hybrid)
            .On([NodeLost, AgentLost, NodeUnhealthy], r => r.Use(Hybrid).AvoidNode())
            // Once may be anything; the same worker twice is its node.
            .On([Hang, HealthCheckFailed], r => r.Use(Hybrid)
                .Then(RecreateFailed, after: 1, within: day, per: RepeatScope.Worker).AvoidNode())
            .OnAny(Hybrid));
    }
}
