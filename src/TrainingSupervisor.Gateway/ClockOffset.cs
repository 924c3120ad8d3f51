namespace TrainingSupervisor.Gateway;

/// <summary>
/// How far one agent's clock is off ours, from when its messages were sent by its clock and received by ours. The least difference
/// is the one that was the least under way, so it is nearest to the truth; only the latest are looked at, since a clock may be set.
/// </summary>
internal sealed class ClockOffset
{
    /// <summary>
    /// Offsets below this are taken for delay and not corrected: with clocks that are kept by NTP the agents' own times are better than our estimate.
    /// </summary>
    internal static readonly TimeSpan Doubt = TimeSpan.FromMilliseconds(50);

    private const int Window = 32;
    private static readonly long Earliest = DateTimeOffset.MinValue.ToUnixTimeMilliseconds(), Latest = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private readonly Lock _lock = new();
    private readonly Queue<long> _samples = new(Window);

    public void Add(long sentUnixMs, DateTimeOffset received)
    {
        // An agent that does not say when it sent is taken at its word.
        if (sentUnixMs <= 0 || sentUnixMs > Latest) return;
        lock (_lock)
        {
            if (_samples.Count == Window) _samples.Dequeue();
            _samples.Enqueue(received.ToUnixTimeMilliseconds() - sentUnixMs);
        }
    }

    /// <summary>A time of the agent's clock by ours; never in the future, and now if the agent did not say it.</summary>
    public DateTimeOffset Correct(long agentUnixMs, DateTimeOffset now)
    {
        if (agentUnixMs <= 0) return now;
        long offset;
        lock (_lock) offset = _samples.Count == 0 ? 0 : _samples.Min();
        if (Math.Abs(offset) < Doubt.TotalMilliseconds) offset = 0;
        var corrected = DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(Math.Clamp(agentUnixMs, Earliest, Latest) + offset, Earliest, Latest));
        return corrected < now ? corrected : now;
    }
}
