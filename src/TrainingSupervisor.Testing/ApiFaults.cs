using TrainingSupervisor.Testing.Api;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing;

/// <summary>
/// Makes the API server misbehave on demand. Each fault lasts until the handle is disposed, its count is used up, or
/// <see cref="Clear"/> is called. Delays run on the cluster's clock.
/// </summary>
public sealed class ApiFaults
{
    private readonly Lock _gate = new();
    private readonly List<FaultRule> _rules = [];
    private readonly ObjectStore _store;
    private int _held;

    internal ApiFaults(ObjectStore store) => _store = store;

    internal WatchSessions Watches { get; } = new();

    internal ApiServer? Server { get; set; }

    /// <summary>Answers matching requests with an error and does not act on them.</summary>
    /// <param name="status">The HTTP status, such as 403, 410, 429, 500 or 503.</param>
    /// <param name="where">Which requests; default: all.</param>
    /// <param name="count">How many of them; default: until the handle is disposed.</param>
    /// <param name="retryAfter">The <c>Retry-After</c> header in whole seconds; default: none.</param>
    public IDisposable FailRequests(
        int status, Func<ApiRequestInfo, bool>? where = null, int? count = null, TimeSpan? retryAfter = null) =>
        Add(new(where, count) { Error = FaultErrors.Of(status, retryAfter) });

    /// <summary>Holds matching requests for a while before acting on them.</summary>
    /// <param name="delay">How long.</param>
    /// <param name="where">Which requests; default: all.</param>
    /// <param name="count">How many of them; default: until the handle is disposed.</param>
    public IDisposable DelayRequests(TimeSpan delay, Func<ApiRequestInfo, bool>? where = null, int? count = null) =>
        Add(new(where, count) { Delay = delay });

    /// <summary>Holds every write for a while before acting on it.</summary>
    /// <param name="delay">How long.</param>
    public IDisposable DelayWrites(TimeSpan delay) => DelayRequests(delay, static r => r.IsWrite);

    /// <summary>Breaks the connection instead of answering.</summary>
    /// <param name="where">Which requests; default: all.</param>
    /// <param name="count">How many of them; default: until the handle is disposed.</param>
    /// <param name="afterActing">True to act on the request first, so that only the answer is lost.</param>
    public IDisposable AbortRequests(Func<ApiRequestInfo, bool>? where = null, int? count = null, bool afterActing = false) =>
        Add(new(where, count) { AbortBefore = !afterActing, AbortAfter = afterActing });

    /// <summary>Ends open watches with a clean end of stream, as a restarting or overloaded server does.</summary>
    /// <param name="where">Which watches; default: all.</param>
    /// <returns>How many watches were ended.</returns>
    public int DropWatches(Func<ApiRequestInfo, bool>? where = null) => Watches.End(where, abort: false);

    /// <summary>Resets the streams of open watches.</summary>
    /// <param name="where">Which watches; default: all.</param>
    /// <returns>How many watches were reset.</returns>
    public int AbortWatches(Func<ApiRequestInfo, bool>? where = null) => Watches.End(where, abort: true);

    /// <summary>Breaks every open connection.</summary>
    public void AbortConnections() => Server?.AbortConnections();

    /// <summary>Freezes all watches, new ones too: the connections stay open and nothing comes. Dispose to release what was held.</summary>
    public IDisposable FreezeWatches() => Watches.Freeze();

    /// <summary>Delivers watch events late.</summary>
    /// <param name="delay">How late.</param>
    public IDisposable DelayWatchEvents(TimeSpan delay) => Watches.DelayBy(delay);

    /// <summary>How many requests a delay is holding right now.</summary>
    public int HeldRequests => Volatile.Read(ref _held);

    /// <summary>How many watches are open.</summary>
    public int OpenWatches => Watches.Count;

    /// <summary>Forgets the history: watches and continue tokens from before get 410.</summary>
    public void CompactHistory() => _store.Compact();

    /// <summary>Stops the server: watches end cleanly, later requests find nobody listening.</summary>
    /// <param name="ct">Stops waiting.</param>
    public Task StopServerAsync(CancellationToken ct = default) => Server?.StopAsync(ct) ?? Task.CompletedTask;

    /// <summary>Starts the stopped server again on the same port with the same objects.</summary>
    /// <param name="ct">Stops waiting.</param>
    public Task StartServerAsync(CancellationToken ct = default) => Server?.StartAsync(ct) ?? Task.CompletedTask;

    /// <summary>Stops and starts the server on the same port.</summary>
    /// <param name="ct">Stops waiting.</param>
    public async Task RestartServerAsync(CancellationToken ct = default)
    {
        await StopServerAsync(ct).ConfigureAwait(false);
        await StartServerAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Takes back every fault that still lasts; a stopped server stays stopped.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _rules.Clear();
        }

        Watches.Release();
    }

    internal async Task HoldAsync(TimeSpan delay, TimeProvider time, CancellationToken ct)
    {
        Interlocked.Increment(ref _held);
        try
        {
            await Task.Delay(delay, time, ct).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _held);
        }
    }

    internal IReadOnlyList<FaultRule> Take(ApiRequestInfo request)
    {
        lock (_gate)
        {
            if (_rules.Count == 0)
            {
                return [];
            }

            var hits = _rules.FindAll(r => r.Matches(request));
            hits.ForEach(r => r.Use());
            _rules.RemoveAll(r => r.IsUsedUp);
            return hits;
        }
    }

    private Handle Add(FaultRule rule)
    {
        lock (_gate)
        {
            _rules.Add(rule);
        }

        return new(() =>
        {
            lock (_gate)
            {
                _rules.Remove(rule);
            }
        });
    }

    internal sealed class Handle(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
