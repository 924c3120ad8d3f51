namespace TrainingSupervisor.Engine;

/// <summary>How long each step took until the worker was at the barrier, the slowest of each recovery, smoothed over recoveries. Null is not known yet.</summary>
internal sealed record StepCosts
{
    /// <summary>How much a new recovery weighs against all before.</summary>
    private const double Weight = 0.3;

    public TimeSpan? RestartProcess { get; init; }
    public TimeSpan? RestartInPlace { get; init; }
    public TimeSpan? ReplaceWithSpare { get; init; }
    public TimeSpan? Recreate { get; init; }

    /// <summary>From asking the workers to save until the last had answered.</summary>
    public TimeSpan? Save { get; init; }

    public bool Knows(RecoveryStep step) => step == RecoveryStep.Keep || Learned(step) is not null;

    /// <summary>As learned, else a first guess: a new Pod has to be scheduled, and its image may have to be pulled.</summary>
    public TimeSpan Of(RecoveryStep step) => Learned(step) ?? step switch
    {
        RecoveryStep.RestartProcess => TimeSpan.FromSeconds(0.5),
        RecoveryStep.RestartInPlace => TimeSpan.FromSeconds(2),
        RecoveryStep.ReplaceWithSpare => TimeSpan.FromSeconds(0.5),
        RecoveryStep.Recreate => TimeSpan.FromSeconds(60),
        _ => TimeSpan.Zero,
    };

    public StepCosts Learn(RecoveryStep step, TimeSpan took) => step switch
    {
        RecoveryStep.RestartProcess => this with { RestartProcess = Mix(RestartProcess, took) },
        RecoveryStep.RestartInPlace => this with { RestartInPlace = Mix(RestartInPlace, took) },
        RecoveryStep.Recreate => this with { Recreate = Mix(Recreate, took) },
        RecoveryStep.ReplaceWithSpare => this with { ReplaceWithSpare = Mix(ReplaceWithSpare, took) },
        _ => this,
    };

    public StepCosts LearnSave(TimeSpan took) => this with { Save = Mix(Save, took) };

    /// <summary>What the plan that has just come to the barrier has taught.</summary>
    public static void LearnFrom(GangDraft draft)
    {
        if (draft.State is not { Timing.Commanded: { } commanded, Plan: { Cause: not null } plan }) return;
        // Nobody was told anything before all had saved.
        var since = draft.State.QuiescedAttempt == plan.Attempt && draft.State.QuiescedAt > commanded ? draft.State.QuiescedAt : commanded;
        var slowest = new Dictionary<RecoveryStep, TimeSpan>();
        foreach (var step in plan.Steps)
        {
            // A spare was there before.
            if (!step.InScope || (draft.Find(step.Pod)?.ArrivedAt ?? (step.Step == RecoveryStep.ReplaceWithSpare ? since : null)) is not { } arrived) continue;
            var took = arrived - since;
            if (took < TimeSpan.Zero && step.Step == RecoveryStep.ReplaceWithSpare) took = TimeSpan.Zero;
            if (took >= slowest.GetValueOrDefault(step.Step)) slowest[step.Step] = took;
        }

        var costs = slowest.Aggregate(draft.State.Costs, (c, s) => c.Learn(s.Key, s.Value));
        if (slowest.Count > 0) draft.Set(s => s with { Costs = costs });
    }

    private TimeSpan? Learned(RecoveryStep step) => step switch
    {
        RecoveryStep.RestartProcess => RestartProcess,
        RecoveryStep.RestartInPlace => RestartInPlace,
        RecoveryStep.Recreate => Recreate,
        RecoveryStep.ReplaceWithSpare => ReplaceWithSpare,
        _ => null,
    };

    private static TimeSpan Mix(TimeSpan? before, TimeSpan now) => before is { } known ? (known * (1 - Weight)) + (now * Weight) : now;
}
