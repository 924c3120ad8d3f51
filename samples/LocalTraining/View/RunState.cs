using LocalTraining.Running;

namespace LocalTraining.View;

/// <summary>All that is shown of a run, gathered from the supervisor's lines and the fault schedule.</summary>
internal sealed class RunState(string title, int steps)
{
    private readonly Lock _lock = new();
    private readonly List<EventLine> _events = [];
    private readonly List<RecoveryLine> _recoveries = [];
    private readonly List<StateSpan> _spans = [];
    private readonly Dictionary<string, string> _now = [];

    public string Title { get; } = title;
    public int Steps { get; } = steps;
    public GangStatusLine? Status { get; private set; }
    public ResultLine? Result { get; private set; }
    public string? Error { get; private set; }
    public string NextFault { get; set; } = "";
    public DateTimeOffset Started { get; } = TimeProvider.System.GetUtcNow();

    /// <summary>The furthest step that any rank has reported, in any attempt.</summary>
    public long Furthest { get; private set; }

    public long Step => Status?.Workers.Where(w => w.Rank >= 0).Select(w => w.Step).DefaultIfEmpty(0).Max() ?? 0;

    public event Action<EventLine>? Happened;

    public void Take(SupervisorLine line)
    {
        lock (_lock)
        {
            if (line.Status is { } status)
            {
                Status = status;
                Furthest = Math.Max(Furthest, Step);
                foreach (var worker in status.Workers.Where(w => w.Rank >= 0)) Span(worker.Rank, worker.State);
            }

            if (line.Recovery is { } recovery) _recoveries.Add(recovery);
            if (line.Result is { } result) Result = result;
            if (line.Error is { } error) Error = error;
        }

        if (line.Event is { } e) Add(e);
        if (line.Error is { } text) Add(new EventLine(TimeProvider.System.GetUtcNow(), "error", text));
    }

    public void Fault(string text) => Add(new EventLine(TimeProvider.System.GetUtcNow(), "fault", text));

    public IReadOnlyList<EventLine> Events()
    {
        lock (_lock) return [.. _events];
    }

    public IReadOnlyList<RecoveryLine> Recoveries()
    {
        lock (_lock) return [.. _recoveries];
    }

    public IReadOnlyList<StateSpan> Spans()
    {
        lock (_lock) return [.. _spans];
    }

    private void Add(EventLine line)
    {
        lock (_lock) _events.Add(line);
        Happened?.Invoke(line);
    }

    private void Span(int rank, string state)
    {
        var key = $"{rank}";
        if (_now.GetValueOrDefault(key) == state) return;
        _now[key] = state;
        _spans.Add(new StateSpan(rank, state, TimeProvider.System.GetUtcNow()));
    }
}

/// <summary>From this moment on the rank is in this state.</summary>
internal sealed record StateSpan(int Rank, string State, DateTimeOffset From);
