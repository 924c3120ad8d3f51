namespace TrainingSupervisor.Testing;

/// <summary>
/// What clients have asked of the API server, so that a test can count writes and lists. The cluster's own nodes and
/// scheduler do not use the API server and are not in it.
/// </summary>
public sealed class RequestLog
{
    private const int Capacity = 100_000;
    private readonly Lock _gate = new();
    private readonly Queue<RequestLogEntry> _entries = new();

    internal RequestLog()
    {
    }

    /// <summary>The newest 100,000 requests, oldest first.</summary>
    public IReadOnlyList<RequestLogEntry> Snapshot()
    {
        lock (_gate)
        {
            return [.. _entries];
        }
    }

    /// <summary>How many requests match.</summary>
    public int Count(Func<RequestLogEntry, bool> where)
    {
        ArgumentNullException.ThrowIfNull(where);
        return Snapshot().Count(where);
    }

    /// <summary>Forgets everything so far.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            _entries.Clear();
        }
    }

    internal void Add(RequestLogEntry entry)
    {
        lock (_gate)
        {
            _entries.Enqueue(entry);
            if (_entries.Count > Capacity)
            {
                _entries.Dequeue();
            }
        }
    }
}
