using System.Collections.Immutable;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>From the whole state to what happens next. Runs until nothing changes.</summary>
internal static class Reconciler
{
    public static void Run(GangDraft draft)
    {
        if (draft.State is { StopReason: { } reason, IsOver: false }) End(draft, GangPhase.Stopped, reason);
        if (!draft.IsOver)
        {
            Quarantine.Run(draft);
            FailureDetector.Run(draft);
        }

        Stage before;
        do
        {
            before = draft.State.Stage;
            Advance(draft);
        }
        while (draft.State.Stage != before);
        NodeMarks.Run(draft);
        PodKeeper.Run(draft);
    }

    private static void Advance(GangDraft draft)
    {
        var state = draft.State;
        switch (state.Stage)
        {
            case Stage.Running when !state.Failures.IsEmpty && Notices.Hold(draft):
                Running(draft);
                break;
            case Stage.Running or Stage.Releasing when !state.Failures.IsEmpty:
                draft.Enter(Stage.Gathering);
                break;
            case Stage.Gathering:
                Gather(draft);
                break;
            case Stage.Saving when state.SavedSequence >= state.SaveSequence && state.SaveSequence > 0:
                draft.Set(s => s with { Timing = s.Timing! with { Commanded = s.Timing.Commanded ?? draft.Now } });
                draft.Enter(Stage.Barrier);
                break;
            case Stage.Saving when state.SaveSequence == 0:
                draft.Tell(new PhaseChanged(draft.Spec.Name, draft.Now, GangPhase.Starting, 1, "first start"));
                draft.Save(planInProgress: true);
                break;
            case Stage.Barrier:
                Barrier.Run(draft);
                break;
            case Stage.Releasing:
                Barrier.Releasing(draft);
                break;
            case Stage.Running:
                Running(draft);
                break;
            default:
                break;
        }
    }

    private static void Gather(GangDraft draft)
    {
        var decide = draft.State.StageSince + draft.Spec.GatherWindow;
        if (draft.Now < decide)
        {
            draft.WakeAt(decide);
            return;
        }

        if (FailureDomains.WaitFor(draft) is { } others)
        {
            draft.WakeAt(others);
            return;
        }

        var ranked = RecoveryPlanner.Rank(draft.State.Failures, draft.Spec);
        var attempt = draft.State.Attempt + 1;
        var decided = GangDecisions.Decide(draft.State, ranked, draft.State.Attempt, draft.Now);
        var (decision, failures) = (decided.Decision, decided.Failures);
        draft.Set(s => s with { Failures = [] });
        switch (decision.Strategy)
        {
            case RecoveryStrategy.Ignore:
                draft.Decided = GangDecisions.WithoutSteps(decided, attempt, draft.Now);
                draft.Notice($"ignored ({decision.Reason}): {failures[0]}");
                Ignore(draft, failures, attempt);
                draft.Enter(draft.State.Phase == GangPhase.Running ? Stage.Running : Stage.Releasing);
                return;
            case RecoveryStrategy.FailGang:
                draft.Decided = GangDecisions.WithoutSteps(decided, attempt, draft.Now);
                End(draft, GangPhase.Failed, $"{failures[0]} ({decision.Reason})");
                return;
            default:
                Flush(draft);
                draft.Start(failures[0].At, failures.Min(f => f.Noticed));
                draft.Set(s => s with { Recoveries = GangDecisions.Remember(s, decided, attempt, draft.Now) });
                draft.Decided = GangDecisions.Plan(draft.ToState(), decision, failures, attempt, draft.Now);
                Adopt(draft, draft.Decided);
                return;
        }
    }

    /// <summary>What goes on is not told again for each thing that wakes us, and hides nothing else that befalls the same Pod.</summary>
    private static void Ignore(GangDraft draft, ImmutableArray<Failure> failures, int attempt)
    {
        foreach (var failure in failures)
        {
            if (failure.Pod is { } name && draft.Find(name) is { } pod) draft.Put(pod.Ignoring(failure, attempt));
            if (failure.Kind == FailureKind.Hang) draft.Set(s => s with { LastAdvance = draft.Now });
        }
    }

    /// <summary>Makes this plan the one in progress and writes it, before its first effect.</summary>
    public static void Adopt(GangDraft draft, RecoveryPlan plan)
    {
        draft.Set(s => s with { Attempt = plan.Attempt, Plan = plan, LastAdvance = draft.Now, WaitsSince = null, ExtraSpares = s.ExtraSpares.Clear(), RosterAttempt = Rosters.Since(s, plan) });
        Quarantine.Add(draft, plan.AvoidNodes, plan);
        var sequence = draft.State.SaveSequence + 1;
        Membership.Change(draft, plan, sequence);
        PodKeeper.RefillSpares(draft, sequence);
        draft.EnterPhase(draft.State.Phase == GangPhase.Starting ? GangPhase.Starting : GangPhase.Recovering, plan.Cause?.ToString() ?? plan.Reason);
        draft.Tell(new RecoveryPlanned(draft.Spec.Name, draft.Now, plan));
        draft.Enter(Stage.Saving);
        draft.Save(planInProgress: true);
    }

    private static void Running(GangDraft draft)
    {
        var state = draft.State;
        if (state.Workers.All(name => draft[name].Finished(draft[name].Target)))
        {
            End(draft, GangPhase.Succeeded, "every worker ended with exit code 0");
            return;
        }

        Rosters.Tell(draft);
        if (state.Timing is { FirstStep: not null }) Flush(draft);
        if (state.GrowRequested) Grow(draft);
    }

    /// <summary>Takes back the workers that the gang does without, as soon as as many spares wait as make a step upwards.</summary>
    private static void Grow(GangDraft draft)
    {
        var state = draft.ToState();
        if (state.Shrunk.IsEmpty)
        {
            draft.Set(s => s with { GrowRequested = false });
            return;
        }

        var plan = RecoveryPlanner.Plan(state, [], RecoveryStrategy.Hybrid, "the gang grows back, as was asked for", state.Attempt + 1, draft.Now);
        if (plan.Steps.Length <= state.WorldSize) return;
        Flush(draft);
        draft.Start(draft.Now, draft.Now);
        draft.Set(s => s with { GrowRequested = false });
        Adopt(draft, plan);
    }

    /// <summary>Says how the recovery went; the first step may still be to come when the next failure interrupts.</summary>
    private static void Flush(GangDraft draft)
    {
        if (draft.State is not { Timing: { BarrierComplete: not null } timing, Plan: { } plan }) return;
        draft.Set(s => s with { Timing = null, LastTiming = timing });
        draft.Tell(new RecoveryCompleted(draft.Spec.Name, draft.Now, plan, timing));
    }

    public static void End(GangDraft draft, GangPhase phase, string outcome)
    {
        Flush(draft);
        draft.Set(s => s with { Outcome = outcome, Failures = [] });
        draft.EnterPhase(phase, outcome);
        draft.Enter(Stage.Ending);
        draft.Save(planInProgress: false);
    }
}
