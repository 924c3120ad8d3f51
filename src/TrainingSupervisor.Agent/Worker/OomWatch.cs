namespace TrainingSupervisor.Agent.Worker;

/// <summary>
/// When the OOM killer has struck in our cgroup while one worker ran, and whether the worker's end follows from that. The counter alone cannot
/// tell: it counts each process of the container, whoever it was and however well the worker went on without it. Safe from any thread.
/// </summary>
/// <param name="read">The counter; null where it cannot be read.</param>
/// <param name="time">The clock.</param>
internal sealed class OomWatch(Func<long?> read, TimeProvider time)
{
    /// <summary>A trainer that has lost a data loader, and a launcher that has lost a rank, fail within seconds; a launcher may give the others half a minute to end.</summary>
    internal static readonly TimeSpan Soon = TimeSpan.FromMinutes(1);

    /// <summary>A worker that waits for the dead one in a collective fails when that times out: 10 minutes by NCCL's default in PyTorch, and some for the watchdog.</summary>
    internal static readonly TimeSpan Waiting = TimeSpan.FromMinutes(15);

    /// <summary>The counter is not read more often by <see cref="Tick"/>.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private const int MostKept = 64;

    private readonly Lock _gate = new();
    private readonly List<(long Count, long At)> _kills = [];
    private long? _count = read(), _step;
    private long _looked = time.GetTimestamp();

    /// <summary>Looks, if that was not done just now.</summary>
    internal void Tick()
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(_looked) >= Interval)
                LookNow();
        }
    }

    /// <summary>Looks; returns the counter.</summary>
    internal long? Look()
    {
        lock (_gate)
            return LookNow();
    }

    /// <summary>The worker has done a step: it goes on.</summary>
    internal void Stepped()
    {
        lock (_gate)
            _step = time.GetTimestamp();
    }

    /// <summary>One kill since the counter was this was of a command of the agent's own.</summary>
    internal void Excuse(long? since)
    {
        lock (_gate)
        {
            LookNow();
            var own = _kills.FindLastIndex(k => k.Count > since);
            if (own >= 0)
                _kills.RemoveAt(own);
        }
    }

    /// <summary>What this says of the worker's end just now; if that is not by the OOM killer, how long ago it struck, if it did.</summary>
    /// <param name="bySigKill">The worker itself was ended so. It waited for nobody then: the OOM killer has done that at once, or another has.</param>
    internal (bool OutOfMemory, TimeSpan? Before) Ended(bool bySigKill)
    {
        lock (_gate)
        {
            LookNow();
            if (_kills is not [.., (_, var kill)])
                return (false, null);
            var before = time.GetElapsedTime(kill);
            var wentOn = _step is { } step && time.GetElapsedTime(kill, step) > Soon;
            return before <= Soon || (before <= Waiting && !bySigKill && !wentOn) ? (true, null) : (false, before);
        }
    }

    private long? LookNow()
    {
        _looked = time.GetTimestamp();
        if (read() is not { } now)
            return _count;
        for (var n = Math.Max(_count ?? now, now - MostKept) + 1; n <= now; n++)
            _kills.Add((n, _looked));
        if (_kills.Count > MostKept)
            _kills.RemoveRange(0, _kills.Count - MostKept);
        return _count = now;
    }
}
