namespace TrainingSupervisor.Engine.Learning;

/// <summary>
/// What the cells of a role have taught together: how long it takes one of them from step to step. The steps of the role as a whole say less, for there a
/// cell's pause hides behind the others' steps.
/// </summary>
internal sealed record CellTimes
{
    public StepTimes Steps { get; init; } = StepTimes.Empty;
    public TimeSpan? LongestWarmUp { get; init; }

    /// <summary>When any of them last did a step.</summary>
    public DateTimeOffset LastStep { get; init; } = DateTimeOffset.MinValue;

    /// <summary>Since when the role goes on: all of them stood still before.</summary>
    public DateTimeOffset GoingSince { get; init; } = DateTimeOffset.MinValue;

    /// <summary>A cell's own steps, with what all of them have taught.</summary>
    public StepWatch Teach(StepWatch steps) => steps with { Times = Steps, LongestWarmUp = LongestWarmUp };

    /// <summary>How long all may be silent, and the role goes on all the same.</summary>
    public TimeSpan Pause(GangSpec spec) =>
        (spec.HangTimeout ?? new StepWatch { Times = Steps, Advances = int.MaxValue }.Limit(ProgressLearner.OptionsOf(spec))) / 2;

    /// <summary>When we look at the role at the latest, if nobody is heard of.</summary>
    public DateTimeOffset LookBy(GangSpec spec) => LastStep + (2 * Pause(spec)) - CellHangDetector.Breath;

    public CellTimes Stepped(GangSpec spec, DateTimeOffset now) =>
        LastStep == now ? this : this with { LastStep = now, GoingSince = now - LastStep > Pause(spec) ? now : GoingSince };
}
