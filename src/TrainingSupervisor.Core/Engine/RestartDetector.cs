using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// Restarts of all containers that nobody here ordered. What caused one stands in the Pod's status only while its condition
/// AllContainersRestarting is true, for milliseconds at times (KEP-5532): it is noted when seen, and never guessed when missed.
/// </summary>
internal static class RestartDetector
{
    /// <summary>The code with which the agent ends to have all containers restarted: such a restart is ours.</summary>
    public const int RestartExitCode = 88;

    /// <summary>What the kubelet gives as the reason of the end of all other containers.</summary>
    public const string Victim = "RestartingAllContainers";

    /// <summary>The container that caused the restart which this status shows under way; null if it shows none, or ours.</summary>
    public static ContainerObservation? CauseIn(PodObservation pod)
    {
        if (!pod.AllContainersRestarting) return null;
        var ended = pod.Containers.Where(c => c.State == ContainerState.Terminated && c.Reason != Victim).ToList();
        if (ended.Any(c => c.ExitCode == RestartExitCode)) return null;
        // An init container or a finished helper that reads "Completed" was there before; a rule may be for code 0, so that comes last.
        return ended.FirstOrDefault(c => c.ExitCode != 0) ?? ended.FirstOrDefault(c => !c.Initial);
    }

    public static Failure? Find(GangDraft draft, PodState pod)
    {
        var stage = draft.State.Stage;
        if (pod.RestartCause is { } cause && (!pod.Connected || pod.Agent?.Phase == AgentPhase.Waiting)
            && (stage is Stage.Running or Stage.Releasing or Stage.Gathering || pod.FailedKind == FailureKind.UnorderedRestart))
        {
            return Of(pod, cause, draft.Now);
        }

        // Every agent of a running gang was seen running its worker: one that waits has lost it.
        if (stage != Stage.Running || !pod.Connected || pod.Agent is not { Phase: AgentPhase.Waiting }) return null;
        var restarts = pod.Pod?.Containers.Where(c => !c.Initial).Select(c => c.RestartCount).DefaultIfEmpty().Max() ?? 0;
        var evidence = $"its containers were restarted (restart count {restarts}) and nobody here ordered it; cause unknown: the exit was not seen";
        return FailureDetector.Of(pod, FailureKind.UnorderedRestart, evidence, draft.Now, "agent");
    }

    private static Failure Of(PodState pod, ContainerObservation cause, DateTimeOffset now)
    {
        var failure = PodDetector.ExitOf(pod, cause, now);
        return failure with { Evidence = $"{failure.Evidence}; all containers of the Pod were restarted for it" };
    }
}
