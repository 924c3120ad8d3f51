namespace TrainingSupervisor.Engine;

/// <summary>How long each step took until the worker was at the barrier, the slowest of each recovery, smoothed over recoveries.</summary>
internal sealed record StepCosts
{
    /// <summary>How much a new recovery weighs against all before.</summary>
    private const double Weight = 0.3;

    public TimeSpan RestartProcess { get; init; } = TimeSpan.FromSeconds(0.5);
    public TimeSpan RestartInPlace { get; init; } = TimeSpan.FromSeconds(2);
    public TimeSpan ReplaceWithSpare { get; init; } = TimeSpan.FromSeconds(0.5);
    public TimeSpan Recreate { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How many recoveries taught these; 0 means that they are guesses.</summary>
    public int Known { get; init; }

    public TimeSpan Of(RecoveryStep step) => step switch
    {
        RecoveryStep.RestartProcess => RestartProcess,
        RecoveryStep.RestartInPlace => RestartInPlace,
        RecoveryStep.Recreate => Recreate,
        RecoveryStep.ReplaceWithSpare => ReplaceWithSpare,
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

    /// <summary>What the plan that has just come to the barrier has taught.</summary>
    public static void LearnFrom(GangDraft draft)
    {
        if (draft.State is not { Timing.Commanded: { } commanded, Plan: { Cause: not null } plan }) return;
        var costs = draft.State.Costs;
        var slowest = new Dictionary<RecoveryStep, TimeSpan>();
        foreach (var step in plan.Steps)
        {
            if (!step.InScope || draft.Find(step.Pod)?.ArrivedAt is not { } arrived || arrived < commanded) continue;
            var took = arrived - commanded;
            if (took > slowest.GetValueOrDefault(step.Step)) slowest[step.Step] = took;
        }

        foreach (var (step, took) in slowest) costs = costs.Learn(step, took);
        if (slowest.Count > 0) draft.Set(s => s with { Costs = costs with { Known = costs.Known + 1 } });
    }

    private static TimeSpan Mix(TimeSpan before, TimeSpan now) => (before * (1 - Weight)) + (now * Weight);
}
