using LocalTraining.Running;

namespace LocalTraining.View;

/// <summary>All that is shown of a run, gathered from the supervisor's lines and the fault schedule.</summary>
internal sealed class RunState(string title, int steps)
{
    /// <summary>A worker that has done all its steps and ended well.</summary>
    public const string Done = "Done";

    /// <summary>There is no supervisor that could know.</summary>
    public const string Unseen = "Unseen";

    private readonly Lock _lock = new();
    private readonly List<EventLine> _events = [];
    private readonly List<RecoveryLine> _recoveries = [];
    private readonly List<StateSpan> _spans = [];
    private readonly List<FaultMark> _faults = [];
    private readonly Dictionary<int, string> _now = [];
    private volatile string _nextFault = "";

    public string Title { get; } = title;
    public int Steps { get; } = steps;
    public GangStatusLine? Status { get; private set; }
    public ResultLine? Result { get; private set; }
    public string? Error { get; private set; }

    public string NextFault
    {
        get => _nextFault;
        set => _nextFault = value;
    }

    public DateTimeOffset Started { get; } = TimeProvider.System.GetUtcNow();

    /// <summary>The latest attempt for which a plan was made; 0 before the first recovery.</summary>
    public int PlannedAttempt { get; private set; }

    /// <summary>The last step of the whole gang; goes back with it to a checkpoint.</summary>
    public long Step { get; private set; }

    public event Action<EventLine>? Happened;

    public void Take(SupervisorLine line)
    {
        lock (_lock)
        {
            if (line.Status is { } status)
            {
                Status = status;
                var ranks = status.Workers.Where(w => w.Rank >= 0).ToList();
                if (ranks.Exists(w => w.Step >= 0)) Step = ranks.Max(w => w.Step);
                foreach (var worker in ranks) Span(worker.Rank, StateOf(worker));
            }

            if (line.PlannedAttempt is { } attempt) PlannedAttempt = Math.Max(PlannedAttempt, attempt);
            if (line.Recovery is { } recovery) _recoveries.Add(recovery);
            if (line.Result is { } result) Result = result;
            if (line.Error is { } error) Error = error;
        }

        if (line.Event is { } e) Add(e);
        if (line.Error is { } text) Add(new EventLine(TimeProvider.System.GetUtcNow(), "error", text));
    }

    /// <summary>Something was broken, while the victim worked on this step.</summary>
    public void Fault(string text, int step)
    {
        var mark = new FaultMark(TimeProvider.System.GetUtcNow(), step, text);
        lock (_lock) _faults.Add(mark);
        Add(new EventLine(mark.At, "fault", text));
    }

    public IReadOnlyList<FaultMark> Faults()
    {
        lock (_lock) return [.. _faults];
    }

    /// <summary>Until the next supervisor speaks nobody knows what the workers do.</summary>
    public void SupervisorGone()
    {
        lock (_lock)
        {
            foreach (var rank in _now.Keys.ToList()) Span(rank, Unseen);
        }
    }

    /// <summary>What to call the worker's state: agents that leave after the last step do not restart.</summary>
    public string StateOf(WorkerLine worker) =>
        Status?.Phase == "Succeeded" || (worker is { State: "Exited", Rank: >= 0 } && worker.Step >= Steps) ? Done : worker.State;

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
        if (_now.GetValueOrDefault(rank) == state) return;
        _now[rank] = state;
        _spans.Add(new StateSpan(rank, state, TimeProvider.System.GetUtcNow()));
    }
}
