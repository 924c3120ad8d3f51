using System.Net;
using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Keeps a record of every object of one kind: list in pages, watch from there with bookmarks, list again when in doubt and synthesise what
/// was missed. Reads fast and decides nothing: a slow reader is dropped by the server.
/// </summary>
internal sealed class Watcher<T>(IKubernetesHttp http, WatchSettings<T> settings, KubernetesOptions options, TimeProvider time, Func<double> random, ILogger log)
    where T : class
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Healthy = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TellAfter = TimeSpan.FromSeconds(30);

    // As long as etcd keeps its history by default: after more than that, what the server was may not be what it is.
    private static readonly TimeSpan LongGap = TimeSpan.FromMinutes(5);

    private readonly Dictionary<string, Known> _known = [];
    private readonly WatchPause _pause = new(random);
    private ulong? _version;
    private ulong _target;
    private string _verb = "list";
    private bool _listed;
    private bool _watched;
    private bool _inOneGo;
    private long _lastSign;
    private long? _troubledSince;
    private bool _told;

    /// <summary>Runs until cancelled, or until what it watches is refused before it was ever allowed.</summary>
    /// <exception cref="SupervisorException">What OnRefused throws.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            TimeSpan? asked = null;
            string reason;
            try
            {
                if (_version is null || time.GetElapsedTime(_lastSign) > LongGap || !await IsContinuousAsync(cancellationToken)) await ListAsync(cancellationToken);
                if (await WatchAsync(cancellationToken)) continue;
                reason = "the server ended it at once";
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                // Whatever a cancelled request ends with.
                cancellationToken.ThrowIfCancellationRequested();
                throw;
            }
            catch (ApiStatusException e)
            {
                // A token that was good once will be replaced by a good one; a right that was never used may be missing.
                var refused = e.Code == HttpStatusCode.Unauthorized ? !_listed : e.Code == HttpStatusCode.Forbidden && !_watched;
                if (refused && settings.OnRefused(_verb, e)) return;
                if (e.Code == HttpStatusCode.Gone) _version = null;
                (reason, asked) = (e.Message, e.RetryAfter);
            }
            catch (Exception e) when (e is not SupervisorException)
            {
                // The edge of the loop: a network, a server, or a credential plugin can fail in more ways than can be named here.
                // A line that cannot be read may have been about anything: what is known is in doubt.
                if (e is InvalidDataException) _version = null;
                reason = e.Message;
            }

            Trouble(reason);
            await Task.Delay(_pause.Next(asked), time, cancellationToken);
        }
    }

    private TimeSpan Idle => settings.IdleTimeout is { } own && own < options.WatchIdleTimeout ? own : options.WatchIdleTimeout;

    private async Task ListAsync(CancellationToken cancellationToken)
    {
        _verb = "list";
        _version = null;
        var started = time.GetUtcNow();
        var found = new Dictionary<string, Known>();
        ListPage<T> page;
        string? next = null;
        do
        {
            var limit = $"limit={(_inOneGo ? 0 : options.PageSize)}";
            try
            {
                page = await GetPageAsync(next is null ? limit : $"{limit}&continue={System.Uri.EscapeDataString(next)}", cancellationToken);
            }
            catch (ApiStatusException e) when (e.Code == HttpStatusCode.Gone && next is not null)
            {
                // The history went faster than our pages: the next list comes in one piece.
                _inOneGo = true;
                throw;
            }

            foreach (var item in page.Items)
            {
                if (item.Record is { } record) found[item.Name] = new Known(item.Uid, item.Version, record);
            }

            next = page.Continue;
        }
        while (next is not null);

        foreach (var (name, gone) in _known.Where(k => !found.TryGetValue(k.Key, out var f) || f.Uid != k.Value.Uid).ToList())
        {
            _known.Remove(name);
            settings.Deleted(name, gone.Uid);
        }

        foreach (var (name, item) in found) Put(name, item);
        (_version, _target, _inOneGo, _listed) = (page.Version, 0, false, true);
        _lastSign = time.GetTimestamp();
        settings.Fresh(started);
        settings.Listed();
    }

    /// <summary>
    /// A watch may start at a version that the server has not reached, and is silent then until it has: after a restore from a backup that
    /// would be for good. So one object is listed, not older than what we know; a server that is behind says so. It also tells how far a
    /// watch must come until it has made up for the gap.
    /// </summary>
    private async Task<bool> IsContinuousAsync(CancellationToken cancellationToken)
    {
        _verb = "list";
        var started = time.GetUtcNow();
        try
        {
            _target = (await GetPageAsync($"limit=1&resourceVersion={_version}&resourceVersionMatch=NotOlderThan", cancellationToken)).Version;
        }
        catch (ApiStatusException e) when (e.IsFromTheFuture)
        {
            return false;
        }

        if (_target == _version) settings.Fresh(started);
        return _target >= _version;
    }

    private async Task<ListPage<T>> GetPageAsync(string query, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(options.RequestTimeout * 2, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var response = await http.GetAsync(Uri(query), settings.Format.MediaType, linked.Token);
            await ApiStatusException.ThrowIfFailedAsync(response, time, linked.Token);
            await using var body = await response.Content.ReadAsStreamAsync(linked.Token);
            return await settings.Format.ReadListAsync(body, linked.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"a list took more than {options.RequestTimeout.TotalSeconds * 2:0.#} s");
        }
    }

    /// <summary>True if it was worth something, so that the next one may be opened at once.</summary>
    private async Task<bool> WatchAsync(CancellationToken cancellationToken)
    {
        _verb = "watch";
        using var idle = new CancellationTokenSource(Idle, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, idle.Token);
        var opened = time.GetTimestamp();
        var seconds = 240 + (int)(random() * 60);
        var worth = false;
        try
        {
            using var response = await http.GetAsync(
                Uri($"watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={_version}"), settings.Format.MediaType, linked.Token);
            await ApiStatusException.ThrowIfFailedAsync(response, time, linked.Token);
            _watched = true;
            await using var body = await response.Content.ReadAsStreamAsync(linked.Token);
            using var frames = new FrameReader(body, settings.Format.FrameLength);
            while (await frames.FillAsync(linked.Token))
            {
                idle.CancelAfter(Idle);
                while (frames.TryRead(out var frame))
                {
                    if (frame.Length <= 2 && frame.Span.Trim("\r\n"u8).IsEmpty) continue;
                    Take(Read(frame));
                    worth = true;
                }

                if (worth) Sign();
            }

            if (frames.HasRest) throw new IOException("the stream ended in the middle of an event");
        }
        catch (OperationCanceledException) when (idle.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"nothing came for {Idle.TotalSeconds:0.#} s");
        }

        return time.GetElapsedTime(opened) >= (worth ? Soon : Healthy);
    }

    private WatchEvent<T> Read(ReadOnlyMemory<byte> frame)
    {
        try
        {
            return settings.Format.ReadEvent(frame);
        }
        catch (ApiStatusException)
        {
            // The server gave up this watch in its middle, and what it has not told is unknown.
            _version = null;
            throw;
        }
        catch (Exception e)
        {
            throw new InvalidDataException($"an event cannot be read: {e.Message}", e);
        }
    }

    private void Take(WatchEvent<T> e)
    {
        var known = e.Kind != WatchEventKind.Bookmark && _known.TryGetValue(e.Name, out var before) ? before : null;
        // What is told twice or late about an object changes nothing. Only the object's own version can tell: a bookmark may come early.
        if (e.Kind != WatchEventKind.Bookmark && (known is null || e.Version == 0 || e.Version > known.Version))
        {
            if (e.Kind == WatchEventKind.Changed && e.Record is { } record)
            {
                if (known is not null && known.Uid != e.Uid) settings.Deleted(e.Name, known.Uid);
                Put(e.Name, new Known(e.Uid, e.Version, record));
            }
            else if (_known.Remove(e.Name))
            {
                // The last state tells how it ended.
                if (e.Record is { } last && known!.Uid == e.Uid) settings.Changed(last);
                settings.Deleted(e.Name, known!.Uid);
            }
        }

        // Never backwards, or the next watch would replay what was.
        if (e.Version > _version) _version = e.Version;
        if (_version >= _target) settings.Fresh(time.GetUtcNow());
    }

    private void Put(string name, Known now)
    {
        var told = _known.TryGetValue(name, out var before) && before.Uid == now.Uid && settings.Same(before.Record, now.Record);
        _known[name] = told ? now with { Record = before!.Record } : now;
        if (!told) settings.Changed(now.Record);
    }

    private void Sign()
    {
        _lastSign = time.GetTimestamp();
        _pause.Reset();
        if (_told) Log.WatchRestored(log, settings.What);
        (_troubledSince, _told) = (null, false);
    }

    private void Trouble(string reason)
    {
        Log.WatchInterrupted(log, settings.What, reason);
        _troubledSince ??= time.GetTimestamp();
        if (_told || time.GetElapsedTime(_troubledSince.Value) < TellAfter) return;
        _told = true;
        Log.WatchTroubled(log, settings.What, time.GetElapsedTime(_troubledSince.Value).TotalSeconds, reason);
    }

    private string Uri(string query) =>
        $"{settings.Path}?{(settings.Selector is null ? "" : $"labelSelector={System.Uri.EscapeDataString(settings.Selector)}&")}{query}";

    private sealed record Known(string Uid, ulong Version, T Record);
}
