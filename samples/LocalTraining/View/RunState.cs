using LocalTraining.Running;

namespace LocalTraining.View;

/// <summary>All that is shown of a run, gathered from the supervisor's lines and the fault schedule.</summary>
internal sealed class RunState(string title, int steps)
{
    /// <summary>A worker that has done all its steps and ended well.</summary>
    public const string Done = "Done";

    /// <summary>There is no supervisor that could know.</summary>
    public const string Unseen = "Unseen";

    /// <summary>A worker that trains and has been named a straggler in this attempt.</summary>
    public const string Straggler = "Straggler";

    private readonly Lock _lock = new();
    private readonly List<EventLine> _events = [];
    private readonly List<RecoveryLine> _recoveries = [];
    private readonly List<StateSpan> _spans = [];
    private readonly List<FaultMark> _faults = [];
    private readonly List<MoveLine> _moves = [];
    private readonly List<StragglerLine> _stragglers = [];
    private readonly HashSet<int> _slow = [];
    private readonly Dictionary<string, string> _nodes = [];
    private readonly HashSet<string> _spares = [];
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

    /// <summary>The attempt that runs, or that the recovery under way leads to.</summary>
    public int Attempt => Math.Max(1, PlannedAttempt);

    /// <summary>The last step of the whole gang; goes back with it to a checkpoint.</summary>
    public long Step { get; private set; }

    public event Action<EventLine>? Happened;

    public void Take(SupervisorLine line)
    {
        var news = new List<EventLine>();
        lock (_lock)
        {
            if (line.Status is { } status) Take(status, news);
            if (line.PlannedAttempt is { } attempt)
            {
                if (attempt > PlannedAttempt) _slow.Clear();
                PlannedAttempt = Math.Max(PlannedAttempt, attempt);
            }

            // A plan that grows is told again.
            if (line.Move is { } move && !_moves.Exists(m => (m.From, m.To) == (move.From, move.To)))
            {
                _moves.Add(move);
                news.Add(new EventLine(move.At, "info", Words(move)));
            }

            if (line.Straggler is { } straggler)
            {
                _stragglers.Add(straggler);
                _slow.Add(straggler.Rank);
            }

            if (line.Recovery is { } recovery) _recoveries.Add(recovery);
            if (line.Result is { } result) Result = result;
            if (line.Error is { } error) Error = error;
        }

        if (line.Event is { } e) Add(e);
        if (line.Error is { } text) Add(new EventLine(TimeProvider.System.GetUtcNow(), "error", text));
        foreach (var item in news) Add(item);
    }

    public void Say(string text) => Add(new EventLine(TimeProvider.System.GetUtcNow(), "info", text));

    /// <summary>Who takes over from whom, and where they are.</summary>
    public string Words(MoveLine move) => $"rank {move.Rank}: {(move.ToSpare ? "spare " : "new Pod ")}{Place(move.To)} takes over from {Place(move.From)}";

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
        Status?.Phase == "Succeeded" || (worker is { State: "Exited", Rank: >= 0 } && worker.Step >= Steps) ? Done
        : worker.State == "Running" && IsSlow(worker.Rank) ? Straggler
        : worker.State;

    public IReadOnlyList<EventLine> Events()
    {
        lock (_lock) return [.. _events];
    }

    public IReadOnlyList<RecoveryLine> Recoveries()
    {
        lock (_lock) return [.. _recoveries];
    }

    public IReadOnlyList<MoveLine> Moves()
    {
        lock (_lock) return [.. _moves];
    }

    public IReadOnlyList<StragglerLine> Stragglers()
    {
        lock (_lock) return [.. _stragglers];
    }

    public IReadOnlyList<StateSpan> Spans()
    {
        lock (_lock) return [.. _spans];
    }

    private void Take(GangStatusLine status, List<EventLine> news)
    {
        Status = status;
        var ranks = status.Workers.Where(w => w.Rank >= 0).ToList();
        if (ranks.Exists(w => w.Step >= 0)) Step = ranks.Max(w => w.Step);
        foreach (var worker in ranks) Span(worker.Rank, StateOf(worker));
        foreach (var worker in status.Workers)
        {
            if (worker.Node is { } node) _nodes[worker.Pod] = node;
            if (worker is { Rank: < 0, State: "Waiting" } && _spares.Add(worker.Pod))
            {
                news.Add(new EventLine(TimeProvider.System.GetUtcNow(), "info", $"spare {Place(worker.Pod)} waits at the barrier"));
            }
        }
    }

    private string Place(string pod)
    {
        lock (_lock) return _nodes.TryGetValue(pod, out var node) ? $"{pod} on {node}" : pod;
    }

    private bool IsSlow(int rank)
    {
        lock (_lock) return _slow.Contains(rank);
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
