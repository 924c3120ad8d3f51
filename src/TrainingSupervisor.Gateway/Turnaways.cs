using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Gateway;

/// <summary>Logs whom the gateway turned away: one line for each kind of reason per minute, however many come, and how many more there were.</summary>
internal sealed class Turnaways(TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Said, int Since)> _kinds = [];

    public void Note(string kind, string? peer, string reason)
    {
        int more;
        lock (_lock)
        {
            if (_kinds.TryGetValue(kind, out var known) && time.GetElapsedTime(known.Said) < Pause)
            {
                _kinds[kind] = known with { Since = known.Since + 1 };
                return;
            }

            more = known.Since;
            _kinds[kind] = (time.GetTimestamp(), 0);
        }

        Log.TurnedAway(log, peer ?? "an unknown address", reason, more);
    }
}
