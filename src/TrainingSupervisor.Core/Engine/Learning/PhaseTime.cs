namespace TrainingSupervisor.Engine.Learning;

/// <summary>How long a phase that workers announce has lasted so far: a checkpoint, an evaluation.</summary>
internal sealed record PhaseTime(int Count, TimeSpan Longest)
{
    private const int KnownAfter = 3;

    /// <summary>Storage has slow minutes: no phase is judged sooner.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMinutes(5);

    public static PhaseTime None { get; } = new(0, TimeSpan.Zero);

    /// <summary>Said of a worker that does the gang's usual work.</summary>
    public static bool IsTraining(string phase) => phase is "" or "train";

    public PhaseTime Add(TimeSpan time) => new(Count + 1, time > Longest ? time : Longest);

    public TimeSpan Limit(HangDetection options)
    {
        var learned = Longest * options.Factor;
        var least = Count < KnownAfter ? options.Unlearned : Least;
        return learned > least ? learned : least;
    }
}
