namespace TrainingSupervisor.Agent.Link;

/// <summary>50 ms, doubling to 2 s, each with jitter so that a thousand agents do not come back at the same moment.</summary>
internal sealed class Backoff
{
    private const double First = 50, Longest = 2000;
    private double _ms = First;

    internal void Reset() => _ms = First;

    internal TimeSpan Next()
    {
#pragma warning disable CA5394 // Jitter needs no secret.
        var wait = _ms * (0.5 + Random.Shared.NextDouble() / 2);
#pragma warning restore CA5394
        _ms = Math.Min(_ms * 2, Longest);
        return TimeSpan.FromMilliseconds(wait);
    }
}
