using TrainingSupervisor.Engine.Learning;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>Finds failures in the state and puts each into it once per Pod and attempt.</summary>
internal static class FailureDetector
{
    public static void Run(GangDraft draft)
    {
        for (var rank = 0; rank < draft.State.Workers.Length; rank++) Look(draft, draft.AtRank(rank));
        if (draft.State.Stage != Stage.Running) return;
        HangDetector.Run(draft);
        CellHangDetector.Run(draft);
        StragglerDetector.Run(draft);
    }

    /// <summary>Done for each worker in each step: where all is well nothing is made for it.</summary>
    private static void Look(GangDraft draft, PodState pod)
    {
        if (pod.Finished(pod.Target) || Tells(draft, ExitDetector.Find(draft, pod))) return;
        foreach (var other in ExitDetector.Others(draft, pod))
        {
            if (Tells(draft, other)) return;
        }

        _ = Tells(draft, RestartDetector.Find(draft, pod)) || Tells(draft, ContainerDetector.Find(draft, pod))
            || Tells(draft, PodDetector.Find(draft, pod)) || Tells(draft, LossDetector.Find(draft, pod))
            || Tells(draft, NodeDetector.Reported(draft, pod))
            || (draft.NodeOf(pod)?.Sign is not null && (Tells(draft, NodeDetector.SignOf(draft, pod)) || Tells(draft, NodeDetector.GoingOf(draft, pod))));
    }

    /// <summary>The end of this worker, as its agent has last told it, if it is a failure.</summary>
    public static void Exited(GangDraft draft, PodState pod)
    {
        if (!pod.Finished(pod.Target)) Tells(draft, ExitDetector.Find(draft, pod));
    }

    /// <summary>The first that is found speaks for its Pod; what the policy ignores hides none of those after it.</summary>
    private static bool Tells(GangDraft draft, Failure? failure) => failure is not null && Report(draft, failure);

    /// <summary>
    /// The policy has ignored this very failure; or one of its kind, and ignores this as well: a flood of them is not told one by one.
    /// Another of the kind, which it would answer, is not hidden.
    /// </summary>
    private static bool IsIgnored(GangDraft draft, PodState pod, Failure failure, int target)
    {
        if (!pod.IgnoresSome(failure.Kind, target)) return false;
        if (pod.Ignores(failure, target)) return true;
        if (!GangDecisions.IgnoresWithin(draft.State, failure, target, draft.Now)) return false;
        draft.Put(pod.Ignoring(failure, target));
        return true;
    }

    /// <summary>The attempt that a failure of this moment leads to.</summary>
    private static int Target(GangState state) => state.Stage is Stage.Running or Stage.Releasing or Stage.Gathering ? state.Attempt + 1 : state.Attempt;

    /// <summary>The same end is seen twice, by the agent and in the Pod's status: the first stays, unless the second is likelier the cause. False if the policy ignores it.</summary>
    public static bool Report(GangDraft draft, Failure failure)
    {
        var target = Target(draft.State);
        if (failure.Pod is { } name && draft.Find(name) is { } pod)
        {
            // The end of a Pod whose worker has failed already is news: restarting it in place will not do.
            var ended = pod.HasEnded || pod.Gone;
            if (IsIgnored(draft, pod, failure, target)) return false;
            // What is only announced hides nothing that happens meanwhile.
            var announced = pod.FailedKind == FailureKind.NodeDraining && failure.Kind != FailureKind.NodeDraining;
            if (pod.FailedAttempt == target && !announced && !pod.IgnoresSome(pod.FailedKind, target) && pod.FailedKind.CauseRank() <= failure.Kind.CauseRank()
                && (pod.FailedEnded || !ended) && (pod.FailedForPod || !failure.BlamesPod())) return true;
            // From here on it is this one that speaks for its kind.
            draft.Put(pod.Heeding(failure.Kind) with { FailedAttempt = target, FailedKind = failure.Kind, FailedEnded = ended, FailedForPod = failure.BlamesPod() });
        }

        Add(draft, failure);
        return true;
    }

    /// <summary>For detectors that know themselves what they have reported already.</summary>
    public static void Add(GangDraft draft, Failure failure)
    {
        var uncertainty = failure.Uncertainty > TimeSpan.Zero ? failure.Uncertainty : FirstCause.UncertaintyOf(failure);
        failure = failure with { Noticed = draft.Now, Uncertainty = uncertainty, Mark = FirstCause.MarkOf(failure, draft.Spec.ConsequenceExitCodes) };
        draft.Set(s => s with { Failures = s.Failures.Add(failure) });
        draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, failure));
    }

    public static Failure Of(PodState pod, FailureKind kind, string evidence, DateTimeOffset at, string seenBy) =>
        new(kind, evidence, at) { Worker = pod.Worker, Pod = pod.Name, Node = pod.Node, SeenBy = seenBy };
}
