namespace TrainingSupervisor.Engine;

/// <summary>How far the newest attempt has come: from this its successor is judged, which begins at a checkpoint further back.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="First">The first step that anyone reported in it; at the start of it.</param>
/// <param name="FirstAt">When that was heard.</param>
/// <param name="Last">The furthest step.</param>
/// <param name="LastAt">When that was first heard.</param>
internal sealed record Reach(int Attempt, long First, DateTimeOffset FirstAt, long Last, DateTimeOffset LastAt)
{
    public static Reach None { get; } = new(0, -1, DateTimeOffset.MinValue, -1, DateTimeOffset.MinValue);

    public Reach See(int attempt, long step, DateTimeOffset now) =>
        attempt > Attempt ? new Reach(attempt, step, now, step, now)
        : attempt == Attempt && step > Last ? this with { Last = step, LastAt = now }
        : this;

    /// <summary>What the next attempt, whose first step is this one, does again, and how long that took the first time, if it is known.</summary>
    public (long Steps, TimeSpan? Work) RepeatedFrom(long step)
    {
        var again = Math.Max(0, Last - step + 1);
        return (again, again == 0 ? TimeSpan.Zero : Last > First ? (LastAt - FirstAt) / (Last - First) * again : null);
    }
}
