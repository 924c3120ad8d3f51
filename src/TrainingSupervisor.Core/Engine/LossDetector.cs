using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Agents that are silent: with their node, or alone.</summary>
internal static class LossDetector
{
    /// <summary>With the gather window and the save after it, a replacement is ordered within ten seconds of the last sign of life.</summary>
    private static readonly TimeSpan UnfencedPatience = TimeSpan.FromSeconds(8);

    /// <summary>Where a new supervisor is to be found, agents read in a Secret that a kubelet renews every minute or two.</summary>
    private static readonly TimeSpan TakeoverPatience = TimeSpan.FromMinutes(4);

    public static Failure? Find(GangDraft draft, PodState pod)
    {
        // A healthy stream outweighs whatever the node's kubelet does: the worker trains.
        if (pod.Connected || pod.Gone || pod.HasEnded || pod.Node is null) return null;
        if (draft.NodeOf(pod) is { } node)
        {
            if (NodeHealth.Evidence(draft.State, node) is { } evidence)
            {
                var what = pod.Agent is null ? "its agent has never been heard of" : "its agent is silent";
                return FailureDetector.Of(pod, FailureKind.NodeLost, $"{node.Name} {evidence}, and {what}", pod.LastSign, "node lease");
            }
        }

        // An agent that leaves for a restart is not lost, nor one whose containers the kubelet was seen to restart; the barrier's deadline
        // watches over that.
        if (pod.RestartCause is not null && draft.State.Stage is not (Stage.Running or Stage.Releasing)) return null;
        var missed = IsMissed(draft, pod);
        if (pod.Pod?.AllContainersRestarting == true || !(missed || pod.Agent is { Phase: AgentPhase.Running or AgentPhase.Exited or AgentPhase.Waiting })) return null;
        // When no agent at all reaches us, we are the one who is cut off.
        if (!draft.AnyConnected) return null;
        var patience = draft.Spec.Fence > TimeSpan.Zero ? draft.Spec.Fence : UnfencedPatience;
        if (missed && patience < TakeoverPatience) patience = TakeoverPatience;
        var lost = pod.LastSign + patience;
        if (draft.Now >= lost)
        {
            return FailureDetector.Of(pod, FailureKind.AgentLost, $"no sign of its agent for {patience.TotalSeconds:0.0} s", pod.LastSign, "agent");
        }

        draft.WakeAt(lost);
        return null;
    }

    /// <summary>Its worker was released under another supervisor, and this one has never heard of its agent: that was lost in between.</summary>
    private static bool IsMissed(GangDraft draft, PodState pod) =>
        pod is { Agent: null, MayRun: true, Worker: not null } && draft.State.Stage is Stage.Running or Stage.Releasing;
}
