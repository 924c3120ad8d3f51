using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using TrainingSupervisor.Kubernetes.Tests.Faults;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

/// <summary>One watcher before a scripted server, in time that stands still.</summary>
public sealed class WatcherTests : IAsyncDisposable
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    private readonly TestClock _clock = new();
    private readonly ScriptedHttp _http = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<string> _told = [];
    private readonly List<DateTimeOffset> _fresh = [];
    private Func<string, ApiStatusException, bool> _refused = (_, _) => false;
    private Task _running = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    [Fact]
    public async Task Run_ServerFailsForAMinute_TriesSeldomAndCatchesUp()
    {
        Start();
        await _http.ListAsync(10, ScriptedHttp.Lease("a", 9, 1));
        var (_, body) = await _http.WatchAsync();
        await body.EndAsync();
        var began = _clock.GetUtcNow();
        var tries = 0;
        while (_clock.GetUtcNow() - began < TimeSpan.FromMinutes(1))
        {
            var pause = await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause);
            Assert.True(_http.IsQuiet);
            _clock.Advance(pause);
            await _http.AnswerAsync(HttpStatusCode.InternalServerError, "{}");
            tries++;
        }

        Assert.InRange(tries, 8, 20);
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        Assert.Contains("resourceVersion=10", await _http.ListAsync(12), StringComparison.Ordinal);
        var (uri, again) = await _http.WatchAsync();
        Assert.Contains("resourceVersion=10", uri, StringComparison.Ordinal);
        await again.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 11, 2));
        await ToldAsync("a 1", "a 2");
        await again.EndAsync();
        // What came through has set the pause back to its first length.
        Assert.InRange(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause), TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(150));
    }

    [Fact]
    public async Task Run_AwayForLongerThanTheHistory_ListsAgain()
    {
        Start();
        await _http.ListAsync(10, ScriptedHttp.Lease("a", 9, 1));
        var (_, body) = await _http.WatchAsync();
        await body.EndAsync();
        var began = _clock.GetUtcNow();
        var uri = "";
        while (_clock.GetUtcNow() - began < TimeSpan.FromMinutes(6))
        {
            _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
            uri = await _http.AnswerAsync(HttpStatusCode.BadGateway, "");
        }

        Assert.DoesNotContain("resourceVersion=", uri, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_RetryAfter_WaitsAtLeastSoLong()
    {
        Start();
        await _http.AnswerAsync(HttpStatusCode.TooManyRequests, "{}", TimeSpan.FromSeconds(7));
        Assert.InRange(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(20)), TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task Run_RetryAfterOfADay_DoesNotWaitForADay()
    {
        Start();
        await _http.AnswerAsync(HttpStatusCode.ServiceUnavailable, "{}", TimeSpan.FromDays(1));
        Assert.InRange(await _clock.ArmedAsync(TimeSpan.FromSeconds(31), TimeSpan.FromDays(2)), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(3));
    }

    [Fact]
    public async Task Run_StreamEndsAtOnceAgainAndAgain_PausesLonger()
    {
        Start();
        await _http.ListAsync(10);
        var pauses = new List<TimeSpan>();
        for (var i = 0; i < 5; i++)
        {
            if (i > 0) await _http.ListAsync(10);
            var (_, body) = await _http.WatchAsync();
            await body.EndAsync();
            pauses.Add(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
            _clock.Advance(pauses[^1]);
        }

        Assert.Equal(pauses.Order(), pauses);
        Assert.True(pauses[^1] > pauses[0] * 8);
    }

    [Fact]
    public async Task Run_NothingComesForTheIdleTimeout_OpensAnew()
    {
        Start();
        await _http.ListAsync(10);
        var (_, body) = await _http.WatchAsync();
        await _clock.ArmedAsync(TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(90));
        _clock.Advance(TimeSpan.FromSeconds(60));
        await body.LineAsync("BOOKMARK", """{"metadata":{"resourceVersion":"15"}}""");
        await UntilFreshAsync(2);
        _clock.Advance(TimeSpan.FromSeconds(89));
        Assert.True(_http.IsQuiet);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        Assert.Contains("limit=1&resourceVersion=15", await _http.ListAsync(15), StringComparison.Ordinal);
        Assert.Contains("resourceVersion=15", (await _http.WatchAsync()).Uri, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_AListHangs_GivesUpInTime()
    {
        Start();
        await _http.NextAsync();
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30)));
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        await _http.ListAsync(3);
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized)]
    [InlineData(HttpStatusCode.Forbidden)]
    public async Task Run_RefusedAfterItWorked_TriesOn(HttpStatusCode code)
    {
        var asked = 0;
        _refused = (_, _) =>
        {
            asked++;
            return true;
        };
        Start();
        await _http.ListAsync(10);
        var (_, body) = await _http.WatchAsync();
        await body.EndAsync();
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        await _http.AnswerAsync(code, "{}");
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        await _http.ListAsync(10);
        await _http.WatchAsync();

        Assert.Equal(0, asked);
        Assert.False(_running.IsCompleted);
    }

    [Fact]
    public async Task Run_MayListButNotWatch_SaysThatItIsTheWatch()
    {
        string? verb = null;
        _refused = (v, _) =>
        {
            verb = v;
            return true;
        };
        Start();
        await _http.ListAsync(10);
        await _http.AnswerAsync(HttpStatusCode.Forbidden, "{}");
        await _running.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal("watch", verb);
    }

    [Fact]
    public async Task Fresh_AfterAGap_OnlyWhenTheGapIsMadeUpFor()
    {
        Start();
        await _http.ListAsync(100, ScriptedHttp.Lease("a", 90, 1));
        var (_, body) = await _http.WatchAsync();
        Assert.Single(_fresh);
        await body.EndAsync();
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        _clock.Advance(TimeSpan.FromSeconds(25));
        await _http.ListAsync(200);
        var (_, again) = await _http.WatchAsync();
        // Renewals that happened while we were away come now, and those of others are still to come.
        await again.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 150, 2));
        await ToldAsync("a 1", "a 2");
        Assert.Single(_fresh);
        await again.LineAsync("ADDED", ScriptedHttp.Lease("b", 201, 3));
        await ToldAsync("a 1", "a 2", "b 3");

        await UntilFreshAsync(2);
        Assert.Equal(_clock.GetUtcNow(), _fresh[^1]);
    }

    [Fact]
    public async Task Take_RepeatedAndLateEvents_TellNothing()
    {
        Start();
        await _http.ListAsync(10, ScriptedHttp.Lease("a", 9, 1));
        var (_, body) = await _http.WatchAsync();
        await body.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 12, 2));
        await body.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 12, 2));
        await body.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 11, 7));
        await body.LineAsync("DELETED", ScriptedHttp.Lease("never-seen", 13, 1));
        await body.LineAsync("DELETED", ScriptedHttp.Lease("a", 14, 2));
        await body.LineAsync("DELETED", ScriptedHttp.Lease("a", 14, 2));
        await body.LineAsync("ADDED", ScriptedHttp.Lease("b", 15, 5));

        await ToldAsync("a 1", "a 2", "a 2", "gone a u-a", "b 5");
    }

    [Fact]
    public async Task Take_ABookmarkThatCameTooEarly_LosesNoEvent()
    {
        Start();
        await _http.ListAsync(10);
        var (_, body) = await _http.WatchAsync();
        await body.LineAsync("BOOKMARK", """{"metadata":{"resourceVersion":"50"}}""");
        await body.LineAsync("ADDED", ScriptedHttp.Lease("a", 40, 1));
        await ToldAsync("a 1");
    }

    [Theory]
    [InlineData("rubbish")]
    [InlineData("""{"type":"ERROR","object":{"code":500,"message":"etcd event received with PrevKv=nil"}}""")]
    public async Task Run_AnEventThatCannotBeUsed_ListsAnew(string line)
    {
        Start();
        await _http.ListAsync(10, ScriptedHttp.Lease("a", 9, 1));
        var (_, body) = await _http.WatchAsync();
        await body.WriteAsync(line + "\n");
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        Assert.DoesNotContain("resourceVersion=", await _http.ListAsync(30), StringComparison.Ordinal);
        Assert.Contains("resourceVersion=30", (await _http.WatchAsync()).Uri, StringComparison.Ordinal);
        await ToldAsync("a 1", "gone a u-a");
    }

    [Fact]
    public async Task Run_AnEventWithoutItsEnd_IsAskedForAgain()
    {
        Start();
        await _http.ListAsync(10);
        var (_, body) = await _http.WatchAsync();
        await body.WriteAsync("""{"type":"ADDED","object":{"metadata":{"na""");
        await body.EndAsync();
        _clock.Advance(await _clock.ArmedAsync(TimeSpan.FromMilliseconds(1), LongestPause));
        Assert.Contains("limit=1&resourceVersion=10", await _http.ListAsync(12), StringComparison.Ordinal);
        Assert.Contains("resourceVersion=10", (await _http.WatchAsync()).Uri, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Take_AnotherObjectUnderTheName_TellsThatTheFirstIsGone()
    {
        Start();
        await _http.ListAsync(10, ScriptedHttp.Lease("a", 9, 1));
        var (_, body) = await _http.WatchAsync();
        await body.LineAsync("MODIFIED", ScriptedHttp.Lease("a", 12, 2).Replace("u-a", "u-other", StringComparison.Ordinal));
        await ToldAsync("a 1", "gone a u-a", "a 2");
    }

    private void Start()
    {
        var settings = new WatchSettings<LeaseObservation>("things", "things", null, new JsonFormat<LeaseObservation>(static (item, name, _) => LeaseObservation.Read(item, name)))
        {
            Changed = l => Tell($"{l.Name} {(l.RenewTime - new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)).TotalSeconds}"),
            Deleted = (name, uid) => Tell($"gone {name} {uid}"),
            Listed = () => { },
            Fresh = at => { lock (_told) _fresh.Add(at); },
            OnRefused = (verb, e) => _refused(verb, e),
            Same = static (a, b) => a == b,
        };
        _running = new Watcher<LeaseObservation>(_http, settings, new KubernetesOptions(), _clock, () => 0.5, NullLogger.Instance).RunAsync(_stopping.Token);
    }

    private void Tell(string what)
    {
        lock (_told) _told.Add(what);
    }

    private async Task ToldAsync(params string[] expected)
    {
        await WatchRig.UntilAsync(() => { lock (_told) return _told.Count >= expected.Length; }, () => string.Join(", ", _told));
        lock (_told) Assert.Equal(expected, _told);
    }

    private Task UntilFreshAsync(int count) => WatchRig.UntilAsync(() => { lock (_told) return _fresh.Count >= count; });
}
