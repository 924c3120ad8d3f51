using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Brings every worker to the barrier, and opens it when all are there and nothing of an older attempt runs.</summary>
internal static class Barrier
{
    /// <summary>An agent that has not obeyed for so long is told again.</summary>
    public static readonly TimeSpan Repeat = TimeSpan.FromSeconds(5);

    public static void Run(GangDraft draft)
    {
        var state = draft.State;
        var released = state.Workers.Any(n => draft[n].Runs(state.Attempt) || draft[n].RanAttempt == state.Attempt);
        if (released && !state.Failures.IsEmpty)
        {
            // A supervisor before us had begun to release: what fails now needs an attempt of its own.
            draft.Enter(Stage.Gathering);
            return;
        }

        if (JoinedFailures.Run(draft)) return;
        if (Quiescence.Run(draft)) return;
        state = draft.State;
        var ready = true;
        for (var rank = 0; rank < state.Workers.Length; rank++)
        {
            var pod = draft.AtRank(rank);
            if (!pod.IsAwaited(state.Attempt)) continue;
            ready = false;
            Command(draft, pod, state.Plan!.Steps[rank].Step);
        }

        // Who gave up a place runs the older attempt until it is told, too.
        foreach (var pod in draft.Pods.Where(p => p is { Idle: true, Doomed: false }).ToList())
        {
            Command(draft, pod, draft.Spec.IsSidecar(pod.Role) ? RecoveryStep.RestartInPlace : RecoveryStep.RestartProcess);
        }

        // Who is there already is checked while the others come.
        if (!released && FitnessCheck.Run(draft))
        {
            if (draft.State.Stage != Stage.Barrier) return;
            ready = false;
        }

        if (ready)
        {
            draft.Set(s => s with { Timing = s.Timing is { Restarted: null } t ? t with { Restarted = draft.Now } : s.Timing });
            if (!OldOnesAreQuiet(draft)) ready = false;
            if (!released && draft.Now < state.Plan!.NotBefore)
            {
                draft.WakeAt(state.Plan.NotBefore);
                ready = false;
            }
        }

        if (!ready) BarrierDeadline.Watch(draft);
        else if (!Adoption.SaveFirst(draft)) Open(draft);
    }

    public static void Releasing(GangDraft draft)
    {
        var state = draft.State;
        var all = true;
        foreach (var name in state.Workers)
        {
            var pod = draft[name];
            if (pod.Target != state.Attempt || pod.IsOnTarget) continue;
            all = false;
            if (pod.Connected && pod.Agent?.Phase == AgentPhase.Waiting
                && (pod.ReleasedInstance != pod.Agent.Instance || draft.Now >= pod.ReleasedAt + Repeat))
            {
                Release(draft, [name]);
            }

            draft.WakeAt(draft.Now + Repeat);
        }

        if (!all)
        {
            var deadline = state.StageSince + draft.Spec.BarrierDeadline;
            draft.WakeAt(deadline);
            if (draft.Now < deadline) return;
            foreach (var name in state.Workers.Where(n => draft[n].Target == state.Attempt && !draft[n].IsOnTarget))
            {
                FailureDetector.Report(draft, FailureDetector.Of(draft[name], FailureKind.BarrierTimeout, "it was released and did not start", draft.Now, "deadline"));
            }

            return;
        }

        draft.Set(s => s with
        {
            LastAdvance = draft.Now,
            History = s.Plan is { } p ? [.. s.History.TakeLast(19), p with { Steps = [.. p.Steps.Where(x => x.OldPod is not null)], Failures = [.. p.Failures.Take(5)] }] : s.History,
            Timing = s.Timing is { } t ? t with { Released = draft.Now } : null,
        });
        draft.EnterPhase(GangPhase.Running, $"attempt {state.Attempt}");
        draft.Enter(Stage.Running);
        draft.Save(planInProgress: false);
    }

    private static void Command(GangDraft draft, PodState pod, RecoveryStep step)
    {
        var attempt = draft.State.Attempt;
        if (!pod.Connected || pod.Agent is not { } agent || !(agent.Phase is AgentPhase.Running or AgentPhase.Exited || pod.MayStart) || agent.Attempt >= attempt && !IsOwnEnd(agent, attempt))
        {
            return;
        }

        if (pod.CommandedAttempt == attempt && pod.CommandedInstance == agent.Instance && draft.Now < pod.CommandedAt + Repeat)
        {
            draft.WakeAt(pod.CommandedAt + Repeat);
            return;
        }

        draft.Put(pod with
        {
            CommandedAttempt = attempt,
            CommandedInstance = agent.Instance,
            CommandedAt = draft.Now,
            CommandedFirst = pod.CommandedAttempt == attempt ? pod.CommandedFirst : draft.Now,
        });
        var grace = agent.Phase == AgentPhase.Running ? draft.Spec.WorkerGrace : TimeSpan.Zero;
        var cause = draft.State.Plan!.Cause?.ToString() ?? draft.State.Plan.Reason;
        draft.Emit(new RestartWorker(pod.Name, pod.Uid!, attempt, step is RecoveryStep.RestartInPlace, grace, cause));
    }

    // It ended in this very attempt before all were released: it must come back to the barrier too.
    private static bool IsOwnEnd(AgentObservation agent, int attempt) => agent.Phase == AgentPhase.Exited && agent.Attempt == attempt;

    private static bool OldOnesAreQuiet(GangDraft draft)
    {
        var quiet = true;
        foreach (var pod in draft.Pods)
        {
            if (!(pod.Doomed || pod.Idle) || Quiet.Is(draft.State, pod, draft.Now)) continue;
            quiet = false;
            if (Quiet.FencedAt(draft.State, pod) is { } fenced) draft.WakeAt(fenced);
        }

        return quiet;
    }

    private static void Open(GangDraft draft)
    {
        draft.Set(s => s with { Timing = s.Timing is { } t ? t with { BarrierComplete = draft.Now } : null });
        StepCosts.LearnFrom(draft);
        draft.Enter(Stage.Releasing);
        var waiting = draft.State.Workers.Where(n => draft[n].Target == draft.State.Attempt && draft[n].Agent?.Phase == AgentPhase.Waiting).ToImmutableArray();
        if (!waiting.IsEmpty) Release(draft, waiting);
    }

    private static void Release(GangDraft draft, ImmutableArray<string> pods)
    {
        var state = draft.State;
        var ranks = state.Ranks();
        var targets = ImmutableArray.CreateBuilder<ReleaseTarget>(pods.Length);
        foreach (var name in pods)
        {
            var pod = draft[name];
            targets.Add(new ReleaseTarget(name, pod.Uid!, ranks[name]));
            draft.Put(pod with
            {
                MayRun = true,
                RestartCause = null,
                ReleasedAttempt = state.Attempt,
                ReleasedInstance = pod.Agent!.Instance,
                ReleasedAt = draft.Now,
            });
        }

        draft.Emit(new ReleaseGang(state.Attempt, Rosters.Of(draft), targets.ToImmutable()));
    }
}
