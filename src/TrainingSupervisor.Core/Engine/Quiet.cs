using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Whether it is certain that no worker runs in a Pod that was replaced: never two workers of one rank.</summary>
internal static class Quiet
{
    /// <summary>Clocks are monotonic on both sides, but the agent needs a moment to end its worker.</summary>
    private static readonly TimeSpan FenceMargin = TimeSpan.FromSeconds(1);

    public static bool Is(GangState state, PodState pod, DateTimeOffset now)
    {
        // What was never released has no worker, and only we could release it.
        if (!pod.MayRun || pod.HasEnded) return true;
        // An agent says these only when its worker's whole process tree is gone, and starts one again only at our release.
        // A sidecar that leaves for a restart has not ended its worker: the kubelet does, and then a new agent waits.
        if (pod.Agent?.Phase is AgentPhase.Waiting or AgentPhase.Exited && !pod.MayStart) return true;
        if (pod.Agent?.Phase is AgentPhase.Leaving && !state.Spec.IsSidecar(pod.Role)) return true;
        if (pod.Connected) return false;
        return FencedAt(state, pod) is { } fenced && now >= fenced;
    }

    /// <summary>
    /// When a Pod that we hear nothing of is certain to have ended its worker; null while its node still talks to the API server, for then
    /// the agent may reach that too and is not cut off; and null for a worker that only a kubelet could end, of which nothing is known
    /// (ADR 6).
    /// </summary>
    public static DateTimeOffset? FencedAt(GangState state, PodState pod)
    {
        if (pod.Connected) return null;
        var fence = state.Spec.Fence;
        if (fence == TimeSpan.Zero) return pod.LastSign;
        var node = state.NodeOf(pod);
        if (node is not null && !NodeHealth.IsLost(state, node) && !pod.Gone) return null;
        if (!pod.Gone && state.Spec.IsSidecar(pod.Role) && !IsOff(state, node)) return null;
        // Until the renewal that did not come the API server may have answered the agent, too.
        var reached = pod.Gone || node?.LeaseSeen is not { } seen ? pod.LastSign : seen + NodeHealth.RenewInterval(node);
        return (reached > pod.LastSign ? reached : pod.LastSign) + fence + FenceMargin;
    }

    /// <summary>Whoever can know it says that this machine is off: an operator by a taint, the cloud provider by a taint or by deleting the Node.</summary>
    private static bool IsOff(GangState state, NodeObservation? node)
    {
        // Where Nodes may not be watched none is known, and that proves nothing.
        if (node is null) return state.Synced && !state.Nodes.IsEmpty;
        return node.Deleted || node.Taints.Any(t => t.StartsWith("node.kubernetes.io/out-of-service:", StringComparison.Ordinal)
            || t.StartsWith("node.cloudprovider.kubernetes.io/shutdown:", StringComparison.Ordinal));
    }
}
