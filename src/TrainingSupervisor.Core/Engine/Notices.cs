using System.Collections.Immutable;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>
/// A node that is cordoned goes some day, not now: its workers train on until replacements wait at the barrier, and only then is the gang
/// interrupted. A node that goes soon leaves no time for that.
/// </summary>
internal static class Notices
{
    /// <summary>True while there is nothing to answer yet: all failures are notices that can wait for a replacement.</summary>
    public static bool Hold(GangDraft draft)
    {
        if (draft.State.HasUrgentFailures) return false;
        Withdraw(draft);
        var failures = draft.State.Failures;
        if (failures.IsEmpty)
        {
            PodKeeper.DropSurplus(draft);
            return true;
        }

        var signs = failures.Select(f => draft.NodeOf(draft[f.Pod!])?.Going);
        if (signs.Any(s => s is null or { IsUrgent: true })) return false;
        if (GangDecisions.Decide(draft.State, failures, draft.State.Attempt, draft.Now).Decision.Strategy is RecoveryStrategy.Ignore or RecoveryStrategy.FailGang) return false;

        var state = draft.ToState();
        var moving = failures.Where(f => f.Worker is not null).ToList();
        var waiting = draft.Pods.Where(p => Spares.CanServe(state, p, draft.Now)).ToList();
        var ready = moving.TrueForAll(f => Spares.For(state, waiting, state.Spec.Role(f.Worker!.Value.Role), f.Node) is { } spare && waiting.Remove(spare));
        var deadline = failures.Min(f => f.Noticed) + draft.Spec.BarrierDeadline;
        if (ready || draft.Now >= deadline) return false;
        draft.Set(s => s with { ExtraSpares = Spares.Lacking(state, moving) });
        draft.WakeAt(deadline);
        return true;
    }

    private static void Withdraw(GangDraft draft)
    {
        foreach (var failure in draft.State.Failures)
        {
            var pod = draft.Find(failure.Pod!);
            if (pod is not null && NodeDetector.GoingOf(draft, pod) is not null) continue;
            draft.Set(s => s with { Failures = s.Failures.Remove(failure), ExtraSpares = s.ExtraSpares.Clear() });
            if (pod is not null) draft.Put(pod with { FailedAttempt = 0 });
            draft.Notice($"node {failure.Node} is not about to go any more; {failure.Worker} stays");
        }
    }
}
