using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

internal static class NodeHealth
{
    /// <summary>Kubelets renew at a quarter of the duration.</summary>
    public static TimeSpan RenewInterval(NodeObservation node) => node.LeaseDuration / 4;

    /// <summary>Two missed renewals, and half of one for lateness, are the earliest sign.</summary>
    public static TimeSpan LeaseIsLateAfter(NodeObservation node) => RenewInterval(node) * 2.5;

    public static bool IsLost(GangState state, NodeObservation node) => Evidence(state, node) is not null;

    /// <summary>Why this node counts as lost, or null. Reads as the end of "node-3 ...".</summary>
    public static string? Evidence(GangState state, NodeObservation node)
    {
        if (node.Ready is null && node.ReadyReason is "NodeStatusUnknown") return $"is not ready: {node.ReadyReason} {node.ReadyMessage}".TrimEnd();
        // The taint outlives its reason by a moment: a kubelet that says Ready is there.
        if (node.Ready != true && node.Taints.Contains("node.kubernetes.io/unreachable:NoExecute")) return "has the taint node.kubernetes.io/unreachable";
        if (node.LeaseSeen is not { } seen) return null;
        // Late is only what we would have seen: while the API server is away, every Lease looks old.
        var unchanged = state.LeaseView - seen;
        return unchanged >= LeaseIsLateAfter(node) ? $"has not renewed its lease for {unchanged.TotalSeconds:0.0} s" : null;
    }
}
