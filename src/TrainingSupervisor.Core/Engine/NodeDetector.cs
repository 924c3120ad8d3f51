using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Workers that still train on a node that is broken or about to go; and what a health system says of a Pod.</summary>
internal static class NodeDetector
{
    public static Failure? Find(GangDraft draft, PodState pod)
    {
        if (pod.Gone || pod.HasEnded) return null;
        if (ReportedFailure.OfPod(pod.Pod?.Reported) is { } reported)
        {
            return FailureDetector.Of(pod, reported.Kind, $"a health system reports: {reported.Evidence}", draft.Now, FailureTraits.PodAnnotation);
        }

        // A Pod that is on its way out already is told of with its own reason.
        if (pod.Pod?.Deleting == true || pod.Pod?.DisruptionReason is not null) return null;
        return draft.NodeOf(pod) is { Sign: { } sign } node
            ? FailureDetector.Of(pod, sign.Kind, $"{node.Name}: {sign.Evidence}", draft.Now, sign.SeenBy) with { CanWait = sign is { Kind: FailureKind.NodeDraining, IsUrgent: false } }
            : null;
    }
}
