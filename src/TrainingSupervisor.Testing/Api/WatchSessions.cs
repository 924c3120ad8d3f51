namespace TrainingSupervisor.Testing.Api;

/// <summary>The open watches, and what holds their events back.</summary>
internal sealed class WatchSessions
{
    private readonly Lock _gate = new();
    private readonly HashSet<Session> _open = [];
    private TaskCompletionSource? _frozen;
    private TimeSpan _delay;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _open.Count;
            }
        }
    }

    public Session Open(ApiRequestInfo request)
    {
        var session = new Session(request, Close);
        lock (_gate)
        {
            _open.Add(session);
        }

        return session;
    }

    public int End(Func<ApiRequestInfo, bool>? where, bool abort)
    {
        Session[] ended;
        lock (_gate)
        {
            ended = [.. _open.Where(s => where is null || where(s.Request))];
        }

        foreach (var session in ended)
        {
            session.End(abort);
        }

        return ended.Length;
    }

    public IDisposable Freeze()
    {
        lock (_gate)
        {
            _frozen ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return new ApiFaults.Handle(Thaw);
    }

    public IDisposable DelayBy(TimeSpan delay)
    {
        SetDelay(delay);
        return new ApiFaults.Handle(() => SetDelay(TimeSpan.Zero));
    }

    public void Release()
    {
        SetDelay(TimeSpan.Zero);
        Thaw();
    }

    /// <summary>Completes when events may be written.</summary>
    public async Task ReadyAsync(TimeProvider time, bool withEvents, CancellationToken ct)
    {
        TimeSpan delay;
        lock (_gate)
        {
            delay = withEvents ? _delay : TimeSpan.Zero;
        }

        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, time, ct).ConfigureAwait(false);
        }

        Task? frozen;
        lock (_gate)
        {
            frozen = _frozen?.Task;
        }

        if (frozen is not null)
        {
            await frozen.WaitAsync(ct).ConfigureAwait(false);
        }
    }

    private void SetDelay(TimeSpan delay)
    {
        lock (_gate)
        {
            _delay = delay;
        }
    }

    private void Thaw()
    {
        TaskCompletionSource? frozen;
        lock (_gate)
        {
            frozen = _frozen;
            _frozen = null;
        }

        frozen?.TrySetResult();
    }

    private void Close(Session session)
    {
        lock (_gate)
        {
            _open.Remove(session);
        }
    }

    internal sealed class Session(ApiRequestInfo request, Action<Session> close) : IDisposable
    {
        private readonly CancellationTokenSource _ended = new();

        public ApiRequestInfo Request => request;

        public CancellationToken Ended => _ended.Token;

        public bool Aborted { get; private set; }

        public void End(bool abort)
        {
            Aborted |= abort;
            _ended.Cancel();
        }

        // The source is not disposed: End may run at the same time, and it holds no timer.
        public void Dispose() => close(this);
    }
}
