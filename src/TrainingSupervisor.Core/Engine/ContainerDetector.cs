using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// The end of the worker's container in a Pod that goes on, for seconds, or for ever if another container of the user's runs. Beside a sidecar
/// nobody but the kubelet sees it. An agent that wraps its worker is in that container: it tells of its worker's end, but not of its own.
/// </summary>
internal static class ContainerDetector
{
    /// <summary>
    /// Where a kubelet ends a whole Pod its containers end one by one, and the Pod's own status tells the reason after them: within 2.1 s in
    /// the recordings.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static Failure? Find(GangDraft draft, PodState pod)
    {
        if (EndedForGood(draft.Spec, pod) is not { } worker) return null;
        if (draft.Spec.IsSidecar(pod.Role))
        {
            return worker.ExitCode != 0 && draft.State.Stage is Stage.Running or Stage.Releasing or Stage.Gathering ? PodDetector.ExitOf(pod, worker, draft.Now) : null;
        }

        if (pod.AloneSince is not { } since || pod.Pod!.DisruptionReason is not null) return null;
        if (draft.Now < since + Patience)
        {
            draft.WakeAt(since + Patience);
            return null;
        }

        var failure = PodDetector.ExitOf(pod, worker, since);
        return failure with { Evidence = $"{failure.Evidence}; its Pod goes on with container {Other(pod.Pod)!.Name}" };
    }

    /// <summary>The worker's container has ended, and another of the Pod runs.</summary>
    public static bool IsAlone(PodObservation pod) =>
        WorkerOf(pod) is { State: ContainerState.Terminated } && Other(pod) is not null;

    /// <summary>The worker's container, if it has ended and no rule of its Pod has the kubelet start it again.</summary>
    public static ContainerObservation? EndedForGood(GangSpec spec, PodState pod)
    {
        if (pod.Pod is not { AllContainersRestarting: false, Deleting: false } seen) return null;
        var sidecar = spec.IsSidecar(pod.Role);
        // The agent in it speaks: this status is of before a restart. And whether an adopted Pod's container is started again, its own restart policy says.
        if (!sidecar && (pod.Connected || spec.IsAdopted)) return null;
        if (WorkerOf(seen) is not { State: ContainerState.Terminated, Reason: not RestartDetector.Victim } worker) return null;
        var restarts = sidecar ? worker.ExitCode is > 0 and < 256 && RestartCodes.Has(spec, spec.Role(pod.Role), worker.ExitCode) : worker.ExitCode == RestartDetector.RestartExitCode;
        return seen.RestartsInPlace && restarts ? null : worker;
    }

    private static ContainerObservation? WorkerOf(PodObservation pod) => pod.Containers.FirstOrDefault(c => !c.Initial && c.Name == pod.WorkerContainer);

    private static ContainerObservation? Other(PodObservation pod) =>
        pod.Containers.FirstOrDefault(c => !c.Initial && c.Name != pod.WorkerContainer && c.State == ContainerState.Running);
}
