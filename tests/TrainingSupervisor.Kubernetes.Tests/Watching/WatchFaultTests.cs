using System.Globalization;
using System.Net.Http.Headers;
using k8s.Authentication;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Kubernetes.Tests.Faults;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

/// <summary>
/// Each way in which a watch can break, over HTTP/1.1 and over HTTP/2. Before the fault the watch knows three Pods; while it lasts one changes,
/// one goes and one comes; after it, what the watch has told must be what the server has.
/// </summary>
public sealed class WatchFaultTests
{
    private const string Expired = """{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}}""";

    public static TheoryData<string, bool> Faults()
    {
        string[] faults =
        [
            "streams end", "streams are reset", "connections are reset", "the line goes dead", "the server goes silent", "a line is cut", "a line is cut and the stream ends",
            "a line is no event", "an ERROR event says 410", "an ERROR event says 500", "HTTP 410", "HTTP 429 with Retry-After", "HTTP 429", "HTTP 500", "history is compacted",
            "the server restarts", "the stream ends at once",
        ];
        var data = new TheoryData<string, bool>();
        foreach (var fault in faults)
        {
            data.Add(fault, false);
            data.Add(fault, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Watch_Fault_CatchesUpAndLeavesNothingOpen(string fault, bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2);
        var (changes, goes, _) = (await rig.CreateAsync(), await rig.CreateAsync(), await rig.CreateAsync());
        rig.Watch();
        await rig.SyncedAsync();
        await rig.CaughtUpAsync();
        Assert.Equal(http2 ? "HTTP/2" : "HTTP/1.1", Assert.Single(rig.Proxy.Protocols));

        using (await BreakAsync(rig, fault))
        {
            await rig.ChangeAsync(changes);
            await rig.DeleteAsync(goes);
            await rig.CreateAsync();
            await rig.Cluster.Nodes["node-2"].CordonAsync();
            if (fault is "history is compacted" or "HTTP 500") rig.Cluster.Api.CompactHistory();
        }

        await rig.CaughtUpAsync();
        Assert.Contains(rig.Told, i => i is PodGone gone && gone.Name == goes);
        await rig.ChangeAsync(changes);
        await rig.CaughtUpAsync();
        await rig.EndAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task List_ContinueTokenExpires_ListsInOnePiece(bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2);
        for (var i = 0; i < 7; i++) await rig.CreateAsync();
        var pages = 0;
        rig.Proxy.Intercept = context =>
        {
            // The second page of the Pods always comes too late.
            if (!context.Request.Path.Value!.EndsWith("/pods", StringComparison.Ordinal) || !context.Request.Query.ContainsKey("continue")) return Task.FromResult(false);
            Interlocked.Increment(ref pages);
            rig.Cluster.Api.CompactHistory();
            return Task.FromResult(false);
        };
        rig.Watch();
        await rig.SyncedAsync();

        Assert.Equal(1, pages);
        await rig.CaughtUpAsync();
        await rig.EndAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task List_CompactedBetweenListAndWatch_ListsAgain(bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2);
        var goes = await rig.CreateAsync();
        for (var i = 0; i < 4; i++) await rig.CreateAsync();
        var once = 0;
        var compacted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.Proxy.Intercept = async context =>
        {
            if (!context.Request.Path.Value!.EndsWith("/pods", StringComparison.Ordinal) || !context.Request.Query.ContainsKey("watch") || Interlocked.Exchange(ref once, 1) == 1) return false;
            await rig.DeleteAsync(goes);
            await rig.CreateAsync();
            rig.Cluster.Api.CompactHistory();
            compacted.SetResult();
            return false;
        };
        rig.Watch();
        await rig.SyncedAsync();
        // The lists are told before the watch is opened: until then the cache is equal to a truth that is still to change.
        await compacted.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await rig.CaughtUpAsync();

        Assert.Contains(rig.Told, i => i is PodGone gone && gone.Name == goes);
        await rig.EndAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_BookmarksRepeatedAndReordered_NeverResumesFromAnOlderVersion(bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2);
        await rig.CreateAsync();
        var changes = await rig.CreateAsync();
        long newest = 0;
        var asked = new List<long>();
        rig.Proxy.Intercept = context =>
        {
            if (IsPods(context) && context.Request.Query.ContainsKey("watch"))
            {
                lock (asked) asked.Add(long.Parse(context.Request.Query["resourceVersion"].ToString(), CultureInfo.InvariantCulture));
            }

            return Task.FromResult(false);
        };
        rig.Proxy.OnLine = async (context, line, ct) =>
        {
            await ApiProxy.Through(context, line, ct);
            if (!IsPods(context) || !line.StartsWith("""{"type":"BOOKMARK""", StringComparison.Ordinal)) return true;
            await ApiProxy.Through(context, line, ct);
            await ApiProxy.Through(context, """{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"1"}}}""", ct);
            Interlocked.Exchange(ref newest, VersionOf(line));
            return true;
        };
        rig.Watch();
        await rig.SyncedAsync();
        await rig.ChangeAsync(changes);
        await rig.CaughtUpAsync();
        var before = Interlocked.Read(ref newest);
        await WatchRig.UntilAsync(() => Interlocked.Read(ref newest) > before);
        var told = rig.Told.Count(i => i is PodSeen);
        var known = Interlocked.Read(ref newest);
        int opened;
        lock (asked) opened = asked.Count;

        rig.Cluster.Api.DropWatches();
        await WatchRig.UntilAsync(() => { lock (asked) return asked.Count > opened; });
        lock (asked) Assert.All(asked.Skip(opened), v => Assert.True(v >= known, $"{v} is older than {known}"));
        before = Interlocked.Read(ref newest);
        await WatchRig.UntilAsync(() => Interlocked.Read(ref newest) > before);
        Assert.Equal(told, rig.Told.Count(i => i is PodSeen));
        await rig.EndAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_ServerPutBackToAnOlderVersion_ListsAgain(bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2);
        for (var i = 0; i < 5; i++) await rig.ChangeAsync(await rig.CreateAsync());
        rig.Watch();
        await rig.SyncedAsync();
        await rig.CaughtUpAsync();
        await using var older = await WatchRig.NewClusterAsync(o => o.NodeCount = 1);
        await rig.CreateAsync(older);
        Assert.True(await WatchRig.VersionAsync(older) < await WatchRig.VersionAsync(rig.Cluster));

        rig.Proxy.TurnTo(older);
        rig.Cluster.Api.DropWatches();

        await rig.CaughtUpAsync(older);
        await rig.CreateAsync(older);
        await rig.CaughtUpAsync(older);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_TokenRotated_GoesOnWithTheNewOne(bool http2)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "first");
            await using var rig = await WatchRig.StartAsync(http2, new FileToken(file));
            rig.Proxy.Token = "first";
            rig.Watch();
            await rig.SyncedAsync();

            // The server knows the new token before we do, and for a while all that we send is refused.
            rig.Proxy.Token = "second";
            rig.Proxy.OnLine = (_, _, _) => Task.FromResult(false);
            rig.Cluster.Api.DropWatches();
            await rig.CreateAsync();
            await WatchRig.UntilAsync(() => rig.Proxy.Refused >= 3);
            rig.Proxy.OnLine = ApiProxy.Through;
            await File.WriteAllTextAsync(file, "second");

            await rig.CaughtUpAsync();
            await rig.Cluster.Nodes["node-1"].CordonAsync();
            await rig.CaughtUpAsync();
            await rig.EndAsync();
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_CancelledBeforeTheFirstEvent_ServerSeesTheEnd(bool http2)
    {
        await using var rig = await WatchRig.StartAsync(http2, configure: o => o.BookmarkInterval = TimeSpan.FromHours(1));
        using var _ = rig.Cluster.Api.FreezeWatches();
        rig.Watch();
        await rig.SyncedAsync();
        await WatchRig.UntilAsync(() => rig.Cluster.Api.OpenWatches == 3);

        await rig.EndAsync();
    }

    [Theory]
    [InlineData("/clusters/a")]
    [InlineData("/clusters/a/")]
    public async Task Get_ServerBehindAPath_KeepsThePath(string path)
    {
        await using var rig = await WatchRig.StartAsync(tls: false);
        string? asked = null;
        rig.Proxy.Intercept = async context =>
        {
            asked = context.Request.Path;
            await ApiProxy.AnswerAsync(context, 404, "NotFound", "not here");
            return true;
        };
        using var client = new k8s.Kubernetes(new k8s.KubernetesClientConfiguration { Host = $"http://127.0.0.1:{rig.Wire.Port}{path}" });
        using var response = await new KubernetesHttp(client).GetAsync("api/v1/nodes?limit=1", "application/json", default);
        Assert.Equal("/clusters/a/api/v1/nodes", asked);
    }

    private static async Task<IDisposable> BreakAsync(WatchRig rig, string fault)
    {
        var (api, proxy) = (rig.Cluster.Api, rig.Proxy);
        var hurt = 0;
        switch (fault)
        {
            case "streams end":
                api.DropWatches();
                return new Undo(() => { });
            case "streams are reset":
                api.AbortWatches();
                return new Undo(() => { });
            case "connections are reset":
                rig.Wire.Cut();
                return new Undo(() => { });
            case "the line goes dead":
                rig.Wire.Silence();
                return new Undo(() => { });
            case "the server goes silent":
                return api.FreezeWatches();
            case "a line is cut" or "a line is cut and the stream ends":
                proxy.OnLine = async (context, line, ct) =>
                {
                    if (!IsEvent(context, line) || Interlocked.Exchange(ref hurt, 1) == 1) return await ApiProxy.Through(context, line, ct);
                    await context.Response.WriteAsync(line[..(line.Length / 2)], ct);
                    await context.Response.Body.FlushAsync(ct);
                    if (fault == "a line is cut") context.Abort();
                    return false;
                };
                return new Undo(() => { });
            case "a line is no event":
                proxy.OnLine = (context, line, ct) => ApiProxy.Through(
                    context, IsEvent(context, line) && Interlocked.Exchange(ref hurt, 1) == 0 ? """{"type":"ADDED","object":[]}""" : line, ct);
                return new Undo(() => { });
            case "an ERROR event says 410" or "an ERROR event says 500":
                proxy.OnLine = async (context, line, ct) =>
                {
                    if (!IsEvent(context, line) || Interlocked.Exchange(ref hurt, 1) == 1) return await ApiProxy.Through(context, line, ct);
                    await ApiProxy.Through(context, fault.EndsWith("410", StringComparison.Ordinal) ? Expired : Expired.Replace("410", "500", StringComparison.Ordinal), ct);
                    return false;
                };
                return new Undo(() => { });
            case "HTTP 410":
                proxy.Intercept = async context =>
                {
                    if (!context.Request.Query.ContainsKey("watch") || Interlocked.Increment(ref hurt) > 3) return false;
                    await ApiProxy.AnswerAsync(context, 410, "Expired", "too old resource version");
                    return true;
                };
                api.DropWatches();
                return new Undo(() => { });
            case "HTTP 429 with Retry-After" or "HTTP 429":
                proxy.Intercept = async context =>
                {
                    if (Interlocked.Increment(ref hurt) > 5) return false;
                    if (fault != "HTTP 429") context.Response.Headers.RetryAfter = "1";
                    await ApiProxy.AnswerAsync(context, 429, "TooManyRequests", "later");
                    return true;
                };
                api.DropWatches();
                return new Undo(() => { });
            case "HTTP 500" or "history is compacted":
                proxy.Intercept = async context =>
                {
                    await ApiProxy.AnswerAsync(context, 500, "InternalError", "etcd is away");
                    return true;
                };
                api.DropWatches();
                await WatchRig.UntilAsync(() => api.OpenWatches == 0);
                return new Undo(() => proxy.Intercept = null);
            case "the server restarts":
                await api.RestartServerAsync();
                return new Undo(() => { });
            case "the stream ends at once":
                proxy.OnLine = (_, _, _) => Task.FromResult(false);
                api.DropWatches();
                return new Undo(() => proxy.OnLine = ApiProxy.Through);
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault, null);
        }
    }

    private static bool IsPods(HttpContext context) => context.Request.Path.Value!.EndsWith("/pods", StringComparison.Ordinal);

    private static bool IsEvent(HttpContext context, string line) =>
        IsPods(context) && !line.StartsWith("""{"type":"BOOKMARK""", StringComparison.Ordinal);

    private static long VersionOf(string line)
    {
        using var json = System.Text.Json.JsonDocument.Parse(line);
        return long.Parse(json.RootElement.GetProperty("object").GetProperty("metadata").GetProperty("resourceVersion").GetString()!, CultureInfo.InvariantCulture);
    }

    private sealed class Undo(Action undo) : IDisposable
    {
        public void Dispose() => undo();
    }

    private sealed class FileToken(string file) : ITokenProvider
    {
        public async Task<AuthenticationHeaderValue> GetAuthenticationHeaderAsync(CancellationToken cancellationToken) =>
            new("Bearer", await File.ReadAllTextAsync(file, cancellationToken));
    }
}
