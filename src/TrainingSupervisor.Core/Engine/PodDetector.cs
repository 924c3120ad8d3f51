using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>What a Pod's status says: ends, reasons that waiting will not cure, and deletions by others.</summary>
internal static class PodDetector
{
    public static Failure? Find(GangDraft draft, PodState state)
    {
        if (state.Gone)
        {
            return FailureDetector.Of(state, FailureKind.PodDeleted, "the Pod was deleted by someone else", draft.Now, "pod status");
        }

        if (state.Pod is not { } pod || state.Finished(state.Target)) return null;
        if (pod.DisruptionReason is { } reason) return Disrupted(draft, state, reason, pod.DisruptionMessage);
        if (pod.HasEnded) return Ended(draft, state, pod);
        if (pod.Deleting) return FailureDetector.Of(state, FailureKind.PodDeleted, "the Pod is being deleted by someone else", draft.Now, "pod status");

        foreach (var container in pod.Containers)
        {
            if (container.State == ContainerState.Waiting && Waiting(container) is { } kind)
            {
                return FailureDetector.Of(state, kind, $"container {container.Name}: {container.Reason}: {container.Message}", draft.Now, "pod status");
            }
        }

        return null;
    }

    private static FailureKind? Waiting(ContainerObservation container) => container.Reason switch
    {
        "ImagePullBackOff" or "ErrImageNeverPull" or "InvalidImageName" => FailureKind.ImageUnavailable,
        "CreateContainerConfigError" or "CreateContainerError" or "RunContainerError" => FailureKind.InvalidPod,
        _ => null,
    };

    private static Failure Disrupted(GangDraft draft, PodState state, string reason, string? message)
    {
        var kind = reason switch
        {
            "PreemptionByScheduler" => FailureKind.Preempted,
            _ => FailureKind.Evicted,
        };
        return FailureDetector.Of(state, kind, $"{reason}: {message}", draft.Now, "pod status");
    }

    private static Failure Ended(GangDraft draft, PodState state, PodObservation pod)
    {
        // A reason of the Pod's own is the kubelet's: it has ended all of it, or did not take it, whatever the containers ended with then.
        if (pod is { Phase: PodPhase.Failed, Reason: { } reason })
        {
            return FailureDetector.Of(state, reason == "Preempting" ? FailureKind.Preempted : FailureKind.Evicted, $"{reason}: {pod.Message}", draft.Now, "pod status");
        }

        // The worker's own end, if it is one, says more than what a helper beside it made of that.
        var container = pod.Containers.Where(c => c.State == ContainerState.Terminated && c.ExitCode != 0)
            .MinBy(c => c.Initial ? 2 : c.Name == pod.WorkerContainer ? 0 : 1);
        if (container is null)
        {
            return FailureDetector.Of(state, FailureKind.PodDeleted, $"the Pod ended: {pod.Phase} {pod.Reason} {pod.Message}".TrimEnd(), draft.Now, "pod status");
        }

        return ExitOf(state, container, draft.Now);
    }

    /// <summary>128 and the last signal that Linux has. A program that ends with -1 ends with 255, and no signal has ended it.</summary>
    public const int LastSignalCode = 128 + 64;

    /// <summary>A container's end, as its status tells it: its last words are there if it leaves a termination message.</summary>
    public static Failure ExitOf(PodState state, ContainerObservation container, DateTimeOffset now)
    {
        var signal = container.Signal > 0 ? container.Signal : container.ExitCode is > 128 and <= LastSignalCode ? container.ExitCode - 128 : 0;
        var words = ExitDetector.LastLine(container.Message ?? "");
        var (kind, evidence) = container.Reason switch
        {
            "OOMKilled" => (FailureKind.OutOfMemory, $"OOMKilled, exit code {container.ExitCode}{words}; {MemoryLimit.Of(state.Pod, container.Name)}"),
            "StartError" or "ContainerCannotRun" => (FailureKind.StartError, $"{container.Reason}: {container.Message}"),
            _ when signal > 0 => (FailureKind.Killed, $"ended by signal {signal}{ExitDetector.SignalName(signal)}{words}"),
            _ => (FailureKind.ApplicationError, $"exit code {container.ExitCode}{words}"),
        };
        return FailureDetector.Of(state, kind, $"container {container.Name}: {evidence}", now, "pod status") with
        {
            ExitCode = container.ExitCode,
            Signal = signal > 0 ? signal : null,
            StderrTail = container.Message ?? "",
        };
    }
}
