using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// The end of the worker's container in a Pod that goes on, for seconds, or for ever if another container of the user's runs. Beside a sidecar
/// nobody but the kubelet sees it; and an agent that wraps its worker may be killed, or told to end by a probe that failed.
/// </summary>
internal static class ContainerDetector
{
    // Of a Pod that has ended as a whole, or is being made to, its own status tells the reason.
    public static Failure? Find(GangDraft draft, PodState pod) =>
        draft.State.Stage is Stage.Running or Stage.Releasing or Stage.Gathering && pod.Pod is { HasEnded: false, DisruptionReason: null }
        && EndedForGood(draft.Spec, pod) is { ExitCode: not 0 } worker
            ? PodDetector.ExitOf(pod, worker, draft.Now)
            : null;

    /// <summary>The worker's container, if it has ended and no rule of its Pod has the kubelet start it again.</summary>
    public static ContainerObservation? EndedForGood(GangSpec spec, PodState pod)
    {
        // Whether an adopted Pod's container is started again, its own restart policy says.
        var sidecar = spec.IsSidecar(pod.Role);
        if (pod.Pod is not { AllContainersRestarting: false, Deleting: false } seen || (spec.IsAdopted && !sidecar)) return null;
        var worker = seen.Containers.FirstOrDefault(c => !c.Initial && c.Name == seen.WorkerContainer);
        if (worker is not { State: ContainerState.Terminated }) return null;
        var restarts = sidecar ? worker.ExitCode is > 0 and < 256 && RestartCodes.Has(spec, spec.Role(pod.Role), worker.ExitCode) : worker.ExitCode == RestartDetector.RestartExitCode;
        return seen.RestartsInPlace && restarts ? null : worker;
    }
}
