using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// Before a plan touches anybody, running workers may save: all are asked at once, and none is ended before all have answered, since a
/// checkpoint is often the work of all of them.
/// </summary>
internal static class Quiescence
{
    public static bool IsUnderWay(GangState state) =>
        state.Stage == Stage.Barrier && state.Plan is { } plan && plan.QuiesceDeadline > TimeSpan.Zero && state.QuiescedAttempt < plan.Attempt;

    /// <summary>True while workers save: nothing may be commanded yet.</summary>
    public static bool Run(GangDraft draft)
    {
        if (!IsUnderWay(draft.State)) return false;
        var plan = draft.State.Plan!;
        if (draft.State.QuiescingAttempt != plan.Attempt) Ask(draft, plan);
        var until = draft.State.QuiescingSince + plan.QuiesceDeadline;
        var awaited = draft.Pods.Count(p => IsAsked(p, plan.Attempt) && !p.QuiesceAnswered);
        if (awaited > 0 && draft.Now < until)
        {
            draft.WakeAt(until);
            return true;
        }

        if (awaited == 0 && draft.Now > draft.State.QuiescingSince) draft.Set(s => s with { Costs = s.Costs.LearnSave(draft.Now - s.QuiescingSince) });
        if (awaited > 0) draft.Notice($"{awaited} workers did not say in {plan.QuiesceDeadline.TotalSeconds:0.#} s that they have saved; going on without");
        draft.Set(s => s with { QuiescedAttempt = plan.Attempt, QuiescedAt = draft.Now });
        return false;
    }

    private static bool IsAsked(PodState pod, int attempt) =>
        pod.Connected && !pod.Gone && pod.Agent is { Phase: AgentPhase.Running } agent && agent.Attempt < attempt && (pod.Doomed || pod.Idle || pod.Target == attempt);

    private static bool HasSaved(PodState pod) => pod.Progress is { Checkpoint: >= 0 };

    private static void Ask(GangDraft draft, RecoveryPlan plan)
    {
        draft.Set(s => s with { QuiescingAttempt = plan.Attempt, QuiescingSince = draft.Now });
        var asked = draft.Pods.Where(p => IsAsked(p, plan.Attempt)).ToList();
        // Where only some write checkpoints, the others have nothing to answer with. Who that is shows before they are asked: judged by their
        // answers, whoever saves first would leave no time for the others.
        var some = asked.Exists(HasSaved);
        foreach (var pod in asked)
        {
            draft.Put(pod with { QuiesceAnswered = some && !HasSaved(pod) });
            draft.Emit(new QuiesceWorker(pod.Name, pod.Uid!, pod.Agent!.Attempt, draft.Spec.QuiesceSignal, plan.QuiesceDeadline));
        }
    }
}
