namespace TrainingSupervisor.Kubernetes;

/// <summary>How long to wait before the next try: jittered, growing with failures in a row, and never less than the server asked for.</summary>
internal sealed class WatchPause(Func<double> random)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    // A server that asks for more than this is wrong about itself more often than right.
    private static readonly TimeSpan LongestAsked = TimeSpan.FromMinutes(2);

    private TimeSpan _wait = First;

    public void Reset() => _wait = First;

    public TimeSpan Next(TimeSpan? asked)
    {
        var wait = _wait * (0.5 + random());
        _wait = _wait * 2 < Longest ? _wait * 2 : Longest;
        if (asked is not { } least) return wait;
        least = least < LongestAsked ? least : LongestAsked;
        // Whoever was told the same moment must not come back in the same moment.
        return wait > least ? wait : least * (1 + (0.1 * random()));
    }
}
