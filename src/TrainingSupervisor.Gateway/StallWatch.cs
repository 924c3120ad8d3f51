namespace TrainingSupervisor.Gateway;

/// <summary>
/// Knows when this process itself did not run: a suspended machine, a long collection, a debugger. For that time the silence of agents
/// says nothing about them, so whoever judges them counts from the awakening.
/// </summary>
internal sealed class StallWatch(TimeProvider time, TimeSpan late)
{
    private readonly Lock _lock = new();
    private long _last = time.GetTimestamp();
    private long _woke = time.GetTimestamp();
    private DateTimeOffset _wokeAt = DateTimeOffset.MinValue;

    /// <summary>Called regularly, and by whoever judges: how long this process was away just now, if it was.</summary>
    public TimeSpan? Look(bool regular)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var away = time.GetElapsedTime(_last, now);
            if (regular) _last = now;
            if (away < late) return null;
            _woke = now;
            _wokeAt = time.GetUtcNow();
            return away;
        }
    }

    /// <summary>For how long something has been silent that we last heard of at this timestamp, not counting from before we woke.</summary>
    public TimeSpan Silence(long heard)
    {
        lock (_lock) return time.GetElapsedTime(Math.Max(heard, _woke));
    }

    /// <summary>When something may last have been alive.</summary>
    public DateTimeOffset LastSign(DateTimeOffset heard)
    {
        lock (_lock) return heard > _wokeAt ? heard : _wokeAt;
    }
}
