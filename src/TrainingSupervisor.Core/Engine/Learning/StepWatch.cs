namespace TrainingSupervisor.Engine.Learning;

/// <summary>
/// The steps of one role: what former ones taught, and how far this attempt is. A gap is the time between the first reports of two steps; where
/// a worker reports every hundredth step, or an agent once a second, the gap between those is what counts as a step. Immutable.
/// </summary>
internal sealed record StepWatch
{
    /// <summary>Fewer known steps teach nothing.</summary>
    public const int KnownAfter = 20;

    /// <summary>One step in a hundred is not seen in fewer than this, as good as certainly: until then the limit is doubled.</summary>
    public const int SureAfter = 300;

    /// <summary>Caches may be cold, and more data may have to be skipped than the last time: no start is judged sooner.</summary>
    public static readonly TimeSpan LeastWarmUp = TimeSpan.FromMinutes(5);

    public StepTimes Times { get; init; } = StepTimes.Empty;

    /// <summary>The longest gap of any attempt's warm-up, the time to the first step among them; null if none was seen from its beginning.</summary>
    public TimeSpan? LongestWarmUp { get; init; }

    /// <summary>The step at which the role stood when it was last said to hang and nobody was behind; -1 for none.</summary>
    public long HungAt { get; init; } = -1;

    /// <summary>The highest step that anyone has reported in this attempt; -1 for none.</summary>
    public long Frontier { get; init; } = -1;

    /// <summary>How often the frontier has moved in this attempt.</summary>
    public int Advances { get; init; }

    /// <summary>When the gap under way began.</summary>
    public DateTimeOffset FrontierAt { get; init; }

    /// <summary>When any worker of the role last did a step.</summary>
    public DateTimeOffset LastAdvance { get; init; }

    /// <summary>The gap under way has time in it that is no step's: a phase, or our own absence. It teaches nothing.</summary>
    public bool Spoiled { get; init; }

    /// <summary>Ready for an attempt whose workers were released at this moment; null if nobody here saw that.</summary>
    public StepWatch Begin(DateTimeOffset? released, DateTimeOffset now, HangDetection options) => this with
    {
        Frontier = -1,
        // An attempt that was found running may have its warm-up behind it: what it does teaches nothing about starts.
        Advances = released is null ? options.WarmUpSteps : 0,
        FrontierAt = released ?? now,
        LastAdvance = now,
        Spoiled = released is null,
    };

    /// <summary>A worker that was at step <paramref name="before"/> has reported another one.</summary>
    /// <param name="before">Its step before, -1 for none in this attempt.</param>
    /// <param name="step">Its step.</param>
    /// <param name="now">When that was heard.</param>
    /// <param name="waitedSince">When the hang clock was last started.</param>
    /// <param name="options">What the gang was told about hangs.</param>
    public StepWatch Advance(long before, long step, DateTimeOffset now, DateTimeOffset waitedSince, HangDetection options)
    {
        if (step < before) return this with { Frontier = step, FrontierAt = now, LastAdvance = now, Spoiled = false };
        if (step <= Frontier) return LastAdvance == now ? this : this with { LastAdvance = now };
        var gap = now - FrontierAt;
        var next = this with { Frontier = step, FrontierAt = now, LastAdvance = now, Spoiled = false, Advances = Advances + 1 };
        if (Spoiled) return next;
        if (Advances < options.WarmUpSteps) return next with { LongestWarmUp = LongestWarmUp > gap ? LongestWarmUp : gap };
        var survived = Times.Count >= KnownAfter && now - waitedSince > Limit(options);
        var times = Times.Add(gap);
        return next with { Times = survived ? times.AddPause(gap) : times };
    }

    /// <summary>How long this role may go without a step now.</summary>
    public TimeSpan Limit(HangDetection options)
    {
        if (Advances < options.WarmUpSteps)
        {
            return LongestWarmUp is { } warmUp ? Longest(warmUp * options.Factor, LeastWarmUp, options.AtLeast) : options.Unlearned;
        }

        if (Times.Count < KnownAfter) return options.Unlearned;
        var usual = Times.Upper99 * (Times.Count < SureAfter ? 2 : 1);
        return Longest(usual * options.Factor, options.AtLeast, Times.LongestPause * options.Factor);
    }

    /// <summary>The limit in words.</summary>
    public string Explain(HangDetection options)
    {
        var limit = $"the limit of {Seconds.Text(Limit(options))}";
        if (Advances < options.WarmUpSteps)
        {
            return LongestWarmUp is { } warmUp ? $"{limit} for the first steps of an attempt, which took {Seconds.Text(warmUp)} at most" : $"{limit} for the first steps of an attempt";
        }

        return Times.Count < KnownAfter ? $"{limit} while fewer than {KnownAfter} steps are known"
            : $"{limit} where the 99th percentile of {Times.Count} steps is {Seconds.Text(Times.Upper99)}";
    }

    private static TimeSpan Longest(TimeSpan a, TimeSpan b, TimeSpan c) => a > b ? (a > c ? a : c) : b > c ? b : c;
}
