using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>
/// The heart: from a state and what has been seen to the next state and what is to be done. Pure and total: no I/O, no clock, no
/// randomness. Inputs only update what is known; what happens follows from the whole state.
/// </summary>
internal static class GangMachine
{
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
            Costs = record.Costs,
            Recoveries = record.Recoveries,
            History = record.History,
            Outcome = record.Outcome,
            LastAdvance = now,
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
        if (draft.Synced || draft.IsOver) Reconciler.Run(draft);
        return new MachineResult(draft.ToState(), draft.Effects(), draft.NextWake);
    }

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
