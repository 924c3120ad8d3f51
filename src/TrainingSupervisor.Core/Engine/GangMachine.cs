using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>
/// The heart: from a state and what has been seen to the next state and what is to be done. Pure and total: no I/O, no clock, no
/// randomness. Inputs only update what is known; what happens follows from the whole state.
/// </summary>
internal static class GangMachine
{
    /// <summary>A decision takes two or three steps, and one for each deadline within the gather window.</summary>
    private const int MostSteps = 1000;

    /// <summary>A gang that has no record yet: its first start is a plan that creates every Pod.</summary>
    public static GangState Start(GangSpec spec, long term, bool restartsInPlace, DateTimeOffset now)
    {
        var state = Empty(spec, term, restartsInPlace, now) with { Attempt = 1, Phase = GangPhase.Starting, Stage = Stage.Saving };
        var draft = new GangDraft(state, now);
        draft.PlanStart();
        return draft.ToState();
    }

    /// <summary>Takes over from the record; Pods and agents tell the rest.</summary>
    public static GangState Resume(GangSpec spec, long term, bool restartsInPlace, GangRecord record, DateTimeOffset now)
    {
        var over = record.Phase is GangPhase.Succeeded or GangPhase.Failed or GangPhase.Stopped;
        var state = Empty(spec, term, restartsInPlace, now) with
        {
            Attempt = record.Attempt,
            Phase = record.Phase,
            Stage = over ? Stage.Ending : record.Plan is null ? Stage.Running : Stage.Barrier,
            Plan = record.Plan ?? record.History.LastOrDefault(),
            Quarantined = record.Quarantined,
            Incarnations = record.Incarnations,
            Assigned = record.Assigned,
            SpareSerials = record.SpareSerials,
            Shrunk = record.Shrunk,
            GrowRequested = record.GrowRequested,
            Costs = record.Costs,
            Recoveries = record.Recoveries,
            BestStep = record.Recoveries.Select(e => e.BestStep).DefaultIfEmpty(-1).Max(),
            CellSteps = FailureContext.NoCellSteps.AddRange(record.Recoveries.Where(e => e.Cell is not null)
                .GroupBy(e => e.Cell!).Select(g => KeyValuePair.Create(g.Key, g.Max(e => e.BestStep)))),
            History = record.History,
            Outcome = record.Outcome,
            LastAdvance = now,
            // Their agents say which roster they have.
            RosterAttempt = record.Targets.IsEmpty ? 0 : record.Attempt,
        };
        var draft = new GangDraft(state, now);
        draft.ExpectPodsOf(record);
        return draft.ToState();
    }

    public static MachineResult Step(GangState state, IReadOnlyList<GangInput> inputs, DateTimeOffset now)
    {
        var draft = new GangDraft(state, now);
        var spec = state.Spec;
        foreach (var input in inputs) InputReducer.Apply(draft, spec.IsAdopted ? Adoption.Route(draft, input) : input);
        if (spec.IsAdopted && draft.Synced && !draft.IsOver) Adoption.Settle(draft);
        if (draft.Synced) OutsideReport.TakeEarly(draft);
        if (draft.Synced || draft.IsOver) Reconciler.Run(draft);
        return new MachineResult(draft.ToState(), draft.Effects(), draft.NextWake) { Decided = draft.Decided };
    }

    /// <summary>
    /// What would come of this failure if it were reported now. The machine itself is asked, so that it cannot say one thing and do another:
    /// it is stepped, as if the record were saved at once and nothing else happened, until it has decided, and what it asks for is dropped.
    /// </summary>
    /// <exception cref="SupervisorException">The gang is over, or its cluster has not been seen yet.</exception>
    public static RecoveryPlan Explain(GangState state, Failure failure, DateTimeOffset now)
    {
        if (state.IsOver) throw new SupervisorException($"Gang '{state.Spec.Name}' is over: {state.Phase}.");
        if (!state.Synced) throw new SupervisorException($"The Pods of gang '{state.Spec.Name}' have not been listed yet; ask again in a moment.");
        if (!OutsideReport.About(state.Workers.Select(n => state.Pods[n]), failure).Any())
        {
            return Nothing(state, failure, OutsideReport.WhyNothing(state, failure), now);
        }

        GangInput input = new FailureReported(failure);
        for (var i = 0; i < MostSteps; i++)
        {
            var result = Step(state, [input], now);
            if (result.Decided is { } decided) return decided;
            state = result.State;
            if (state.Failures.IsEmpty || state.IsOver) break;
            input = state.Stage == Stage.Saving ? new RecordSaved(state.SaveSequence) : new Tick();
            if (state.Stage == Stage.Gathering && result.NextWake is { } wake) now = wake;
        }

        // A failure of this Pod has been answered, or is being answered, and this one says nothing new.
        return state.Plan is { } plan && state.Stage is Stage.Saving or Stage.Barrier or Stage.Releasing
            ? plan
            : Nothing(state, failure, "a failure of this Pod that is at least as likely the cause has been answered already in this attempt", now);
    }

    private static RecoveryPlan Nothing(GangState state, Failure failure, string reason, DateTimeOffset now) => new()
    {
        Attempt = state.Attempt,
        Cause = failure,
        Failures = [failure],
        Strategy = RecoveryStrategy.Ignore,
        Reason = reason,
        Decided = now,
        NotBefore = now,
    };

    private static GangState Empty(GangSpec spec, long term, bool restartsInPlace, DateTimeOffset now) => new()
    {
        Spec = spec,
        Term = term,
        RestartsInPlace = restartsInPlace,
        StageSince = now,
        LastAdvance = now,
        Workers = [],
    };
}
