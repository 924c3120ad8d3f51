using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Keeps a record of every object of one kind: list in pages, watch from there with bookmarks, list again when in doubt and synthesise what
/// was missed. Reads fast and decides nothing: a slow reader is dropped by the server.
/// </summary>
internal sealed class Watcher<T>(IKubernetesHttp http, WatchSettings<T> settings, KubernetesOptions options, TimeProvider time, Func<double> random, ILogger log)
    where T : notnull
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, (string Uid, T Record)> _known = [];
    private string? _version;

    /// <summary>Runs until cancelled. Throws only what the translation of a 401 or 403 says, before the first list.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var wait = FirstWait;
        while (true)
        {
            try
            {
                if (_version is null) await ListAsync(cancellationToken);
                await WatchAsync(cancellationToken);
                wait = FirstWait;
                continue;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
            catch (ApiStatusException e)
            {
                if (e.Code == HttpStatusCode.Gone) _version = null;
                if (e.Code is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden && settings.OnRefused(e)) return;
                Log.WatchInterrupted(log, settings.What, e.Message);
                if (e.RetryAfter is { } after && after > wait) wait = after;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or OperationCanceledException or InvalidOperationException or KeyNotFoundException)
            {
                // A line that cannot be read may have been about anything: what is known is in doubt.
                if (e is JsonException or InvalidOperationException or KeyNotFoundException) _version = null;
                Log.WatchInterrupted(log, settings.What, e.Message);
            }

            await Task.Delay(wait * (0.5 + random()), time, cancellationToken);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    private async Task ListAsync(CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, (string Uid, T Record)>();
        string? next = null;
        string? version = null;
        do
        {
            var uri = Query("limit=500") + (next is null ? "" : $"&continue={Uri.EscapeDataString(next)}");
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(options.RequestTimeout * 2);
            using var response = await http.GetAsync(uri, patience.Token);
            await ApiStatusException.ThrowIfFailedAsync(response, patience.Token);
            await using var body = await response.Content.ReadAsStreamAsync(patience.Token);
            using var json = await JsonDocument.ParseAsync(body, cancellationToken: patience.Token);
            var meta = json.RootElement.GetProperty("metadata");
            version = ObjectReaders.Text(meta, "resourceVersion");
            next = ObjectReaders.Text(meta, "continue") is { Length: > 0 } token ? token : null;
            foreach (var item in json.RootElement.GetProperty("items").EnumerateArray())
            {
                var (name, uid) = Identity(item);
                found[name] = (uid, settings.Read(item));
            }
        }
        while (next is not null);

        foreach (var (name, gone) in _known.Where(k => !found.TryGetValue(k.Key, out var f) || f.Uid != k.Value.Uid).ToList())
        {
            _known.Remove(name);
            settings.Deleted(name, gone.Uid);
        }

        foreach (var (name, item) in found) Put(name, item.Uid, item.Record);
        _version = version;
        settings.Listed();
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var idle = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var watchdog = time.CreateTimer(_ => idle.Cancel(), null, options.WatchIdleTimeout, Timeout.InfiniteTimeSpan);
        var seconds = 240 + (int)(random() * 60);
        using var response = await http.GetAsync(Query($"watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={_version}"), idle.Token);
        await ApiStatusException.ThrowIfFailedAsync(response, idle.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(idle.Token));
        while (await reader.ReadLineAsync(idle.Token) is { } line)
        {
            watchdog.Change(options.WatchIdleTimeout, Timeout.InfiniteTimeSpan);
            if (line.Length > 0) Take(line);
        }
    }

    private void Take(string line)
    {
        using var json = JsonDocument.Parse(line);
        var item = json.RootElement.GetProperty("object");
        switch (ObjectReaders.Text(json.RootElement, "type"))
        {
            case "ERROR":
                throw ApiStatusException.FromStatus(item);
            case "BOOKMARK":
                break;
            case "DELETED":
                var (name, uid) = Identity(item);
                // The last state tells how it ended.
                if (_known.Remove(name)) settings.Changed(settings.Read(item));
                settings.Deleted(name, uid);
                break;
            case "ADDED" or "MODIFIED":
                var (changed, id) = Identity(item);
                if (_known.TryGetValue(changed, out var before) && before.Uid != id) settings.Deleted(changed, before.Uid);
                Put(changed, id, settings.Read(item));
                break;
            default:
                throw new JsonException("a watch event of an unknown type");
        }

        _version = ObjectReaders.Text(item.GetProperty("metadata"), "resourceVersion") ?? _version;
    }

    private void Put(string name, string uid, T record)
    {
        if (_known.TryGetValue(name, out var before) && before.Uid == uid && settings.Same(before.Record, record)) return;
        _known[name] = (uid, record);
        settings.Changed(record);
    }

    private string Query(string query) => $"{settings.Path}?{(settings.Selector is null ? "" : $"labelSelector={Uri.EscapeDataString(settings.Selector)}&")}{query}";

    private static (string Name, string Uid) Identity(JsonElement item)
    {
        var meta = item.GetProperty("metadata");
        return (ObjectReaders.Text(meta, "name")!, ObjectReaders.Text(meta, "uid") ?? "");
    }
}

/// <summary>What a <see cref="Watcher{T}"/> watches, and whom it tells.</summary>
internal sealed record WatchSettings<T>(string What, string Path, string? Selector, Func<JsonElement, T> Read)
{
    public required Action<T> Changed { get; init; }
    public required Action<string, string> Deleted { get; init; }
    public required Action Listed { get; init; }

    /// <summary>True: go on without this kind; false: try again. Throws if nothing works without it.</summary>
    public required Func<ApiStatusException, bool> OnRefused { get; init; }
    public Func<T, T, bool> Same { get; init; } = static (_, _) => false;
}
