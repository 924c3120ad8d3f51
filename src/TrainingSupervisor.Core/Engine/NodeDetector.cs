using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Workers that still train on a node that is broken or about to go; and what a health system says of a Pod.</summary>
internal static class NodeDetector
{
    public static Failure? Find(GangDraft draft, PodState pod) => Reported(draft, pod) ?? SignOf(draft, pod);

    /// <summary>What a health system says of the Pod itself.</summary>
    public static Failure? Reported(GangDraft draft, PodState pod) =>
        !pod.Gone && !pod.HasEnded && ReportedFailure.OfPod(pod.Pod?.Reported) is { } reported
            ? FailureDetector.Of(pod, reported.Kind, $"a health system reports: {reported.Evidence}", draft.Now, FailureTraits.PodAnnotation)
            : null;

    /// <summary>The gravest of what its node says.</summary>
    public static Failure? SignOf(GangDraft draft, PodState pod) => Of(draft, pod, draft.NodeOf(pod)?.Sign);

    /// <summary>That its node is about to go, whatever else that says.</summary>
    public static Failure? GoingOf(GangDraft draft, PodState pod) => Of(draft, pod, draft.NodeOf(pod)?.Going);

    private static Failure? Of(GangDraft draft, PodState pod, FoundSign? found)
    {
        // A Pod that is on its way out already is told of with its own reason.
        if (pod.Gone || pod.HasEnded || pod.Pod?.Deleting == true || pod.Pod?.DisruptionReason is not null) return null;
        return found is { } sign
            ? FailureDetector.Of(pod, sign.Kind, $"{pod.Node}: {sign.Evidence}", draft.Now, sign.SeenBy) with { CanWait = sign is { Kind: FailureKind.NodeDraining, IsUrgent: false } }
            : null;
    }
}
