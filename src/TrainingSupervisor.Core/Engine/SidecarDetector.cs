using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// The end of a worker whose agent is a sidecar: nobody but the kubelet sees it. The Pod may go on for seconds after it, or for ever if
/// another container of the user's runs.
/// </summary>
internal static class SidecarDetector
{
    public static Failure? Find(GangDraft draft, PodState pod) =>
        draft.State.Stage is Stage.Running or Stage.Releasing or Stage.Gathering && EndedForGood(draft.Spec, pod) is { ExitCode: not 0 } worker
            ? PodDetector.ExitOf(pod, worker, draft.Now)
            : null;

    /// <summary>The worker's container, if it has ended and no rule of its Pod has the kubelet start it again.</summary>
    public static ContainerObservation? EndedForGood(GangSpec spec, PodState pod)
    {
        if (pod.Pod is not { AllContainersRestarting: false, Deleting: false } seen || !spec.IsSidecar(pod.Role)) return null;
        var worker = seen.Containers.FirstOrDefault(c => !c.Initial && c.Name == seen.WorkerContainer);
        if (worker is not { State: ContainerState.Terminated }) return null;
        return seen.RestartsInPlace && worker.ExitCode is > 0 and < 256 && RestartCodes.Has(spec, spec.Role(pod.Role), worker.ExitCode) ? null : worker;
    }
}
