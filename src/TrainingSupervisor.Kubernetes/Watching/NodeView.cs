using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Nodes and their Leases as inputs of one gang's machine. What a Node says of itself is told at once. Renewals are told for the nodes that
/// matter to this gang only, together, once a second (or a fortieth of the Leases' duration, where that is shorter than the kubelet's own),
/// and after them how fresh the view is: so that a large cluster costs a gang one step of its machine per second, and a Lease is never called
/// late because others were told first.
/// </summary>
internal sealed class NodeView : IDisposable
{
    private static readonly TimeSpan LongestPace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestPace = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = [];
    private readonly List<Entry> _renewed = [];
    private readonly Action<GangInput> _sink;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private TimeSpan _pace = LongestPace;
    private DateTimeOffset _fresh;
    private DateTimeOffset _told;
    private (int Able, int All)? _count;
    private bool _armed;
    private bool _disposed;

    /// <param name="sink">Must not block: it is called under a lock, since the order of what is told matters.</param>
    /// <param name="time">The clock that tells when a Lease was seen to change.</param>
    public NodeView(Action<GangInput> sink, TimeProvider time)
    {
        _sink = sink;
        _time = time;
        _timer = time.CreateTimer(_ => Flush(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Seen(NodeObservation node)
    {
        lock (_lock)
        {
            var entry = Of(node.Name);
            entry.Node = node;
            _count = null;
            Tell(entry);
        }
    }

    /// <summary>What a Node last said of itself.</summary>
    public NodeObservation? Known(string name)
    {
        lock (_lock) return _entries.GetValueOrDefault(name)?.Node;
    }

    public void Gone(string name)
    {
        lock (_lock)
        {
            _count = null;
            if (_entries.TryGetValue(name, out var entry))
            {
                // Its Lease goes with it: should a node of this name come again, an old renewal must not make it look lost.
                (entry.Node, entry.LeaseSeen) = (null, null);
                if (!entry.Matters) _entries.Remove(name);
            }

            _sink(new NodeGone(name));
        }
    }

    public void Renewed(LeaseObservation lease)
    {
        lock (_lock)
        {
            var entry = Of(lease.Name);
            (entry.LeaseSeen, entry.Duration) = (_time.GetUtcNow(), lease.Duration);
            var pace = lease.Duration / 40;
            _pace = pace > LongestPace ? LongestPace : pace < ShortestPace ? ShortestPace : pace;
            if (!entry.Matters || entry.Waiting) return;
            entry.Waiting = true;
            _renewed.Add(entry);
            Arm();
        }
    }

    public void LeaseGone(string name)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(name, out var entry)) return;
            entry.LeaseSeen = null;
            if (entry.Node is null && !entry.Matters) _entries.Remove(name);
            else if (entry.Matters) Tell(entry);
        }
    }

    /// <summary>A Pod of the gang is or was on this node: from now on its renewals are told. It stays so: what a lost node still runs matters longest.</summary>
    public void Matters(string name)
    {
        lock (_lock)
        {
            var entry = Of(name);
            if (entry.Matters) return;
            entry.Matters = true;
            if (entry.LeaseSeen is not null) Tell(entry);
        }
    }

    /// <summary>Every change of a Lease until this moment has come.</summary>
    public void Fresh(DateTimeOffset until)
    {
        lock (_lock)
        {
            if (until <= _fresh) return;
            _fresh = until;
            Arm();
        }
    }

    /// <summary>Leases cannot be watched any more: what is known of them would only grow old.</summary>
    public void ForgetLeases()
    {
        lock (_lock)
        {
            _fresh = default;
            foreach (var entry in _entries.Values.Where(e => e.LeaseSeen is not null).ToList())
            {
                entry.LeaseSeen = null;
                if (entry.Matters) Tell(entry);
            }
        }
    }

    /// <summary>Nodes cannot be watched any more: nothing is said of them that may be over.</summary>
    public void ForgetNodes()
    {
        lock (_lock)
        {
            _count = null;
            foreach (var entry in _entries.Values.Where(e => e.Node is not null))
            {
                entry.Node = new NodeObservation { Name = entry.Node!.Name, RestartsInPlace = entry.Node.RestartsInPlace, Labels = entry.Node.Labels };
                Tell(entry);
            }
        }
    }

    /// <summary>How many nodes can take Pods at all, and how many of these declare that they can restart all containers of a Pod.</summary>
    public (int Able, int All) Count()
    {
        lock (_lock)
        {
            if (_count is { } known) return known;
            var (able, all) = (0, 0);
            foreach (var entry in _entries.Values)
            {
                if (entry.Node is not { Unschedulable: false } node || node.Taints.Any(IsOutOfService)) continue;
                all++;
                if (node.RestartsInPlace) able++;
            }

            _count = (able, all);
            return (able, all);
        }
    }

    public void Flush()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _armed = false;
            foreach (var entry in _renewed) Tell(entry);
            _renewed.Clear();
            if (_fresh <= _told) return;
            _told = _fresh;
            _sink(new LeaseViewSeen(_fresh));
        }
    }

    public void Dispose()
    {
        lock (_lock) _disposed = true;
        _timer.Dispose();
    }

    private static bool IsOutOfService(string taint) =>
        taint.StartsWith("node.kubernetes.io/", StringComparison.Ordinal) || taint.StartsWith("node-role.kubernetes.io/", StringComparison.Ordinal);

    private Entry Of(string name)
    {
        if (!_entries.TryGetValue(name, out var entry)) _entries[name] = entry = new Entry();
        return entry;
    }

    private void Tell(Entry entry)
    {
        entry.Waiting = false;
        if (entry.Node is not { } node) return;
        _sink(new NodeSeen(entry is { Matters: true, LeaseSeen: { } seen } ? node with { LeaseSeen = seen, LeaseDuration = entry.Duration } : node));
    }

    /// <summary>
    /// Some time after the first news: after a stall the rest of what was held up follows the first of it, and must be in before the view
    /// may be called fresh.
    /// </summary>
    private void Arm()
    {
        if (_armed || _disposed) return;
        _armed = true;
        _timer.Change(_pace, Timeout.InfiniteTimeSpan);
    }

    private sealed class Entry
    {
        public NodeObservation? Node { get; set; }
        public DateTimeOffset? LeaseSeen { get; set; }
        public TimeSpan Duration { get; set; }
        public bool Matters { get; set; }
        public bool Waiting { get; set; }
    }
}
