using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>What is done at the barrier before its deadline: for Pods that find no node, that do not come back, and for roles that may shrink.</summary>
internal static class Placement
{
    /// <summary>A scheduler says so at once, also where a node is being made ready: a moment's patience.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static void Run(GangDraft draft)
    {
        foreach (var pod in draft.AwaitedPods()) FindStuck(draft, pod);
        if (draft.State.Failures.IsEmpty && !Unschedulable(draft)) Shrink(draft);
    }

    /// <summary>Told to restart in place, and not back: its containers hang, or its agent does not obey.</summary>
    private static void FindStuck(GangDraft draft, PodState pod)
    {
        if (pod.CommandedAttempt != draft.State.Attempt || pod.CommandedFirst is not { } since || pod.Gone || pod.HasEnded) return;
        var deadline = since + draft.Spec.RestartDeadline;
        if (draft.Now < deadline)
        {
            draft.WakeAt(deadline);
            return;
        }

        var evidence = $"it was told to restart {draft.Spec.RestartDeadline.TotalSeconds:0.#} s ago and is not back: {BarrierDeadline.Missing(pod)}";
        FailureDetector.Report(draft, FailureDetector.Of(pod, FailureKind.RestartStuck, evidence, since, "deadline"));
    }

    /// <summary>True if a new plan was adopted.</summary>
    private static bool Unschedulable(GangDraft draft)
    {
        var stuck = new List<PodState>();
        foreach (var pod in draft.AwaitedPods())
        {
            if (pod.UnschedulableSince is not { } since) continue;
            if (draft.Now < since + Patience) draft.WakeAt(since + Patience);
            else stuck.Add(pod);
        }

        if (stuck.Count == 0) return false;
        foreach (var pod in stuck.Where(p => !p.UnschedulableTold))
        {
            draft.Put(pod with { UnschedulableTold = true });
            draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, Of(pod, draft.Now)));
        }

        var state = draft.ToState();
        var spare = stuck.Any(p => draft.Pods.Any(s => s.Role == p.Role && Spares.CanServe(state, s, draft.Now) && Spares.Fits(state, state.Spec.Role(p.Role), s, p.Node)));
        if (!spare && !Quarantine.ForgiveWell(draft)) return false;
        draft.Notice($"no node fits {string.Join(", ", stuck.Take(5).Select(p => p.Name))}: {(spare ? "a spare takes over" : "made anew for the nodes that are forgiven")}");
        ImmutableArray<Failure> failures = [.. stuck.Select(p => Of(p, draft.Now))];
        JoinedFailures.Continue(draft, Plan(draft, failures, draft.State.Plan!.Strategy), failures);
        return true;
    }

    private static Failure Of(PodState pod, DateTimeOffset now) =>
        FailureDetector.Of(pod, FailureKind.Unschedulable, pod.Pod?.UnschedulableMessage ?? "no node fits", now, "pod status") with { Noticed = now };

    /// <summary>Whoever is missing may be done without, where the role allows it.</summary>
    private static void Shrink(GangDraft draft)
    {
        if (draft.State.Phase == GangPhase.Starting) return;
        var missing = draft.AwaitedPods();
        // Whoever is late with a restart has a deadline of its own, and its Pod is well.
        if (missing.Count == 0 || missing.Any(p => p.Planned is not (RecoveryStep.Recreate or RecoveryStep.ReplaceWithSpare))) return;
        var roles = missing.Select(p => draft.Spec.Role(p.Role)).Distinct().ToList();
        if (roles.Any(r => !r.IsElastic)) return;
        var deadline = draft.State.BarrierSince + roles.Max(r => r.ShrinkDeadline);
        if (draft.Now < deadline)
        {
            draft.WakeAt(deadline);
            return;
        }

        var failures = BarrierDeadline.Late(draft, missing, FailureKind.BarrierTimeout);
        var before = draft.State.WorldSize;
        var plan = Plan(draft, failures, RecoveryStrategy.ShrinkGang);
        if (plan.Steps.Length == before) return;
        foreach (var failure in failures) draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, failure));
        draft.Notice($"no replacement came in time for {string.Join(", ", missing.Take(5).Select(p => p.Worker))}: the gang goes on with {plan.Steps.Length} of {before} workers");
        JoinedFailures.Continue(draft, plan, failures);
    }

    private static RecoveryPlan Plan(GangDraft draft, ImmutableArray<Failure> failures, RecoveryStrategy strategy)
    {
        var plan = draft.State.Plan!;
        var next = RecoveryPlanner.Plan(draft.ToState(), failures, strategy, plan.Reason, plan.Attempt, draft.Now);
        return next with { Fallback = plan.Fallback, Steps = JoinedFailures.KeepScope(plan, next.Steps) };
    }
}
