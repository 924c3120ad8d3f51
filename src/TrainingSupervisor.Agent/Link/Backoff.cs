namespace TrainingSupervisor.Agent.Link;

/// <summary>
/// How long to wait before the next try: anything up to 50 ms, doubling to 2 s. Full jitter, since all agents of a gang lose their
/// supervisor at the same moment. Only a stream that has held starts it anew: one that is cut at once must not be asked for in a hot loop.
/// </summary>
internal sealed class Backoff(Func<double> random)
{
    internal static readonly TimeSpan First = TimeSpan.FromMilliseconds(50), Longest = TimeSpan.FromSeconds(2), Held = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(5);
    private TimeSpan _most = First;

    internal void StreamEnded(TimeSpan lasted)
    {
        if (lasted >= Held)
            _most = First;
    }

    internal TimeSpan Next()
    {
        var wait = Least + (_most - Least) * random();
        _most = _most * 2 < Longest ? _most * 2 : Longest;
        return wait;
    }
}
