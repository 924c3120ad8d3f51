namespace TrainingSupervisor.Engine.Learning;

/// <summary>How far a cell is: only of cells that have reported a step to this supervisor. Immutable.</summary>
/// <param name="Role">The role.</param>
/// <param name="Index">The cell's index in the role.</param>
/// <param name="Attempt">The attempt of the cell that this is about; cells have attempts of their own.</param>
internal sealed record CellWatch(string Role, int Index, int Attempt)
{
    /// <summary>Its steps; what they teach is in <see cref="CellTimes"/>, and not in here.</summary>
    public StepWatch Steps { get; init; } = new();

    /// <summary>How often we ourselves saw it get further. One that was found running may have its warm-up before it.</summary>
    public int Seen { get; init; }

    /// <summary>
    /// How long its own steps took in this attempt, all but the first: a cell that is slow and steps is given the time that it takes, and among many its
    /// steps are too few to be within what all of them teach.
    /// </summary>
    public StepTimes Own { get; init; } = StepTimes.Empty;

    /// <summary>When one of its workers last ended a phase.</summary>
    public DateTimeOffset Resumed { get; init; } = DateTimeOffset.MinValue;

    /// <summary>This silence was reported, or given more time, already.</summary>
    public bool Told { get; init; }
    public bool Extended { get; init; }
    public HangSuspicion? Suspicion { get; init; }

    /// <summary>Ready for an attempt in which it has done nothing yet. Where it stood when it was said to hang is remembered.</summary>
    private CellWatch Begin(int attempt) => new(Role, Index, attempt) { Steps = new StepWatch { HungAt = Steps.HungAt } };

    /// <summary>As far as it is in this attempt.</summary>
    public CellWatch In(int attempt) => attempt == Attempt ? this : Begin(attempt);

    /// <summary>When it last did a step in this attempt, or its last phase ended.</summary>
    public DateTimeOffset Since => Steps.Frontier < 0 || Resumed > Steps.LastAdvance ? Resumed : Steps.LastAdvance;

    /// <summary>It got from one to the other.</summary>
    /// <param name="before">Before.</param>
    /// <param name="next">After.</param>
    /// <param name="isOwn">The time between is the cell's pace: no pause, and not what all stood still for.</param>
    public CellWatch Advance(StepWatch before, StepWatch next, bool isOwn)
    {
        var further = next.Frontier > before.Frontier;
        var gap = next.FrontierAt - before.FrontierAt;
        var learns = further && before is { Spoiled: false, Frontier: >= 0 } && isOwn;
        return this with
        {
            Steps = next with { Times = StepTimes.Empty, LongestWarmUp = null },
            Seen = Seen + (further ? 1 : 0),
            Own = learns ? Own.Add(gap) : Own,
            Told = false,
            Extended = false,
        };
    }

    /// <summary>How long it may go without a step by its own pace. Of few steps the percentile is the longest.</summary>
    public TimeSpan OwnLimit(HangDetection options) => Own.Upper99 * options.Factor * (Own.Count < StepWatch.SureAfter ? 2 : 1);

    /// <summary>With what the cells of its role have taught.</summary>
    public StepWatch Taught(CellTimes times) => times.Teach(Steps) with { Advances = Math.Min(Steps.Advances, Seen) };
}
