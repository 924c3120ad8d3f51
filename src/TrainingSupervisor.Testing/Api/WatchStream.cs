using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Streams one watch: events, bookmarks, a clean end at its timeout, and 410 as an ERROR event under a 200.</summary>
internal sealed class WatchStream(
    ObjectStore store, TimeProvider time, TimeSpan bookmarkInterval, WatchSessions sessions, WatchSessions.Session session, ApiCall call)
{
    // The real server picks 30 to 60 minutes when the client names none.
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(30);
    private readonly Selector _selector = Selector.Parse(call);
    private long _last;

    public static long ParseVersion(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : throw ApiError.Of(500, null, $"resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");

    public async Task RunAsync(HttpContext context, Action opened)
    {
        var version = call.Query["resourceVersion"].LastOrDefault();
        var from = string.IsNullOrEmpty(version) ? 0 : ParseVersion(version);
        var lifetime = int.TryParse(call.Query["timeoutSeconds"].LastOrDefault(), CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? TimeSpan.FromSeconds(seconds)
            : s_longest;
        using var timeout = new CancellationTokenSource(lifetime, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, session.Ended, timeout.Token);
        opened();
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-cache, private";
        await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
        try
        {
            await context.Response.BodyWriter.FlushAsync(ending.Token).ConfigureAwait(false);
            await StreamAsync(context.Response.BodyWriter, from, ending.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            if (session.Aborted)
            {
                context.Abort();
            }
        }
    }

    private async Task StreamAsync(PipeWriter output, long from, CancellationToken ct)
    {
        await sessions.ReadyAsync(time, withEvents: false, ct).ConfigureAwait(false);
        ObjectStore.Subscription subscription;
        try
        {
            subscription = from == 0 || ApiCall.Flag(call.Query, "sendInitialEvents") ? Begin(output) : store.Subscribe(call.Type, from);
        }
        catch (ApiError error)
        {
            Line(output, "ERROR", Json.Bytes(error.ToStatus()));
            await output.FlushAsync(ct).ConfigureAwait(false);
            return;
        }

        using (subscription)
        {
            _last = Math.Max(_last, from);
            await output.FlushAsync(ct).ConfigureAwait(false);
            await FollowAsync(output, subscription, ct).ConfigureAwait(false);
        }
    }

    /// <summary>The state as ADDED events, and a subscription that goes on from there.</summary>
    private ObjectStore.Subscription Begin(PipeWriter output)
    {
        var (items, version) = store.ListStored(call.Type, call.Namespace);
        var subscription = store.Subscribe(call.Type, version);
        if (call.Query["sendInitialEvents"].LastOrDefault() is not "false")
        {
            foreach (var stored in items.Where(s => _selector.Matches(s.Object)))
            {
                Line(output, "ADDED", stored.Bytes);
            }
        }

        _last = version;
        if (ApiCall.Flag(call.Query, "sendInitialEvents"))
        {
            Bookmark(output, initialEnd: true);
        }

        return subscription;
    }

    private async Task FollowAsync(PipeWriter output, ObjectStore.Subscription subscription, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(bookmarkInterval, time);
        Task tick = ApiCall.Flag(call.Query, "allowWatchBookmarks")
            ? timer.WaitForNextTickAsync(ct).AsTask()
            : Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        var more = subscription.Reader.WaitToReadAsync(ct).AsTask();
        while (true)
        {
            await Task.WhenAny(more, tick).ConfigureAwait(false);
            ct.ThrowIfCancellationRequested();
            await sessions.ReadyAsync(time, more.IsCompleted, ct).ConfigureAwait(false);

            // Whatever is in the store up to here is in the channel too, so a bookmark after the drain skips nothing.
            var safe = store.ResourceVersion;
            while (subscription.Reader.TryRead(out var change))
            {
                Write(output, change);
                if (output.UnflushedBytes > 256 * 1024)
                {
                    await output.FlushAsync(ct).ConfigureAwait(false);
                }
            }

            if (tick.IsCompleted)
            {
                _last = Math.Max(_last, safe);
                Bookmark(output, initialEnd: false);
                tick = timer.WaitForNextTickAsync(ct).AsTask();
            }

            var flushed = await output.FlushAsync(ct).ConfigureAwait(false);
            if (flushed.IsCompleted)
            {
                return;
            }

            if (more.IsCompleted)
            {
                more = subscription.Reader.WaitToReadAsync(ct).AsTask();
            }
        }
    }

    private void Write(PipeWriter output, StoreEvent change)
    {
        // A client may watch from a version that lies in the future.
        if (change.ResourceVersion <= _last)
        {
            return;
        }

        if (!string.IsNullOrEmpty(call.Namespace) && change.Object.Namespace() != call.Namespace)
        {
            return;
        }

        _last = change.ResourceVersion;
        var now = change.Type != WatchType.Deleted && _selector.Matches(change.Object);
        var before = change.Previous is not null && _selector.Matches(change.Previous);
        var type = (before, now) switch
        {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            _ => null,
        };
        if (type is not null)
        {
            Line(output, type, change.Json);
        }
    }

    private void Bookmark(PipeWriter output, bool initialEnd)
    {
        var metadata = new JsonObject { ["resourceVersion"] = _last.ToString(CultureInfo.InvariantCulture) };
        if (initialEnd)
        {
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        }

        var bookmark = new JsonObject { ["kind"] = call.Type.Kind, ["apiVersion"] = call.Type.ApiVersion, ["metadata"] = metadata };
        if (call.Type == ResourceType.Pods)
        {
            bookmark["spec"] = new JsonObject { ["containers"] = null };
            bookmark["status"] = new JsonObject();
        }

        Line(output, "BOOKMARK", Json.Bytes(bookmark));
    }

    private static void Line(PipeWriter output, string type, byte[] obj)
    {
        Encoding.UTF8.GetBytes($$"""{"type":"{{type}}","object":""", output);
        output.Write(obj);
        output.Write("}\n"u8);
    }
}
