using System.Globalization;
using k8s;
using k8s.Models;
using TrainingSupervisor.Kubernetes.Tests.Faults;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes.Tests.Leading;

/// <summary>Leaders before a real (embedded) API server, in time that the test moves. The Lease lasts 15 seconds.</summary>
public sealed class LeaseLeadershipTests : IAsyncLifetime
{
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(5);

    // A seventh of the duration; timers count whole milliseconds.
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2142);

    private readonly TestClock _clock = new();
    private Fixture _fixture = null!;
    private IKubernetes _client = null!;

    public async Task InitializeAsync()
    {
        _fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        _client = _fixture.Cluster.CreateClient();
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task Acquire_HolderRenews_OthersWaitWhateverTheirClocksSay()
    {
        // The waiting one's clock is a year ahead: by its times the Lease ran out long ago.
        var ahead = new TestClock();
        ahead.Advance(TimeSpan.FromDays(365));
        await using var first = await AcquireAsync(_clock);
        var told = new List<string?>();
        var waiting = Factory(ahead).AcquireAsync(Fixture.Spec, told.Add, default);
        for (var i = 0; i < 4; i++)
        {
            await ahead.ArmedAsync(Look, Look);
            ahead.Advance(TimeSpan.FromSeconds(10));
            await RenewedAsync(_clock);
        }

        Assert.False(waiting.IsCompleted);
        Assert.Equal((await ReadAsync()).Spec.HolderIdentity, Assert.Single(told.Distinct()));
        await first.DisposeAsync();
        await using var second = await MoveUntilAsync(waiting, ahead);
        Assert.True(second.Term > first.Term);
    }

    [Fact]
    public async Task Acquire_HolderGone_TakesOverOnlyAfterTheWholeDuration()
    {
        var first = await AcquireAsync(_clock);
        var other = new TestClock();
        var waiting = AcquireAsync(other);
        // The first hears nothing of its renewals any more.
        using var fault = _fixture.Cluster.Api.FailRequests(503, r => r.Resource == "leases" && r.Verb == "update" && other.GetUtcNow() < DateTimeOffset.Parse("2026-01-01T00:00:15Z", CultureInfo.InvariantCulture));
        var passed = TimeSpan.Zero;
        while (!waiting.IsCompleted && passed < TimeSpan.FromMinutes(1))
        {
            if (passed < TimeSpan.FromSeconds(15)) Assert.False(waiting.IsCompleted);
            // Both clocks go alike; the first must have given up before the second may begin.
            await other.ArmedAsync(Look, Look);
            passed += Look;
            _clock.Advance(Look);
            if (passed >= TimeSpan.FromSeconds(15) - Look) Assert.True(first.Lost.IsCancellationRequested, $"after {passed}");
            other.Advance(Look);
            await Task.WhenAny(waiting, Task.Delay(200));
        }

        await using var second = await waiting;
        Assert.True(passed >= TimeSpan.FromSeconds(15), $"after {passed}");
        Assert.True(second.Term > first.Term);
        await first.DisposeAsync();
    }

    [Fact]
    public async Task Renew_AnswerLost_StillLeads()
    {
        await using var term = await AcquireAsync(_clock);
        using var fault = _fixture.Cluster.Api.AbortRequests(r => r.Resource == "leases" && r.Verb == "update", count: 1, afterActing: true);
        var before = await ReadAsync();
        _clock.Advance(await _clock.ArmedAsync(Renewal, Renewal));
        // The repetition comes after a pause, and finds a version that it does not know.
        await MoveUntilAsync(async () => (await ReadAsync()).Metadata.ResourceVersion != before.Metadata.ResourceVersion && _fixture.Cluster.Requests.Count(r => r.Verb == "update" && r.Status == 409) > 0);
        await RenewedAsync(_clock);

        Assert.False(term.Lost.IsCancellationRequested);
    }

    [Fact]
    public async Task Renew_LeaseDeleted_IsLostAndTheNextTermIsHigher()
    {
        await _client.CoreV1.CreateNamespacedConfigMapAsync(new V1ConfigMap { Metadata = new V1ObjectMeta { Name = "gang-llm" } }, "default");
        await using var first = await MoveUntilAsync(AcquireAsync(_clock), _clock);
        await _client.CoordinationV1.DeleteNamespacedLeaseAsync("gang-llm", "default");
        var other = new TestClock();
        var waiting = AcquireAsync(other);
        await other.ArmedAsync(Look, Look);
        other.Advance(TimeSpan.FromSeconds(10));
        await other.ArmedAsync(Look, Look);
        // The gang exists, so somebody may lead it: a new Lease is not taken at once.
        Assert.False(waiting.IsCompleted);
        Assert.Null((await ReadAsync()).Spec.HolderIdentity);

        _clock.Advance(await _clock.ArmedAsync(Renewal, Renewal));
        await Watching.WatchRig.UntilAsync(() => first.Lost.IsCancellationRequested);
        // Creation times have whole seconds.
        await using var second = await MoveUntilAsync(waiting, other);
        Assert.True(second.Term >= first.Term, $"{second.Term} after {first.Term}");
        Assert.True(first.Term > 1_000_000);
    }

    [Fact]
    public async Task Acquire_ServerAwayAfterItWorked_WaitsForIt()
    {
        var factory = Factory(_clock);
        var first = await factory.AcquireAsync(Fixture.Spec, _ => { }, default);
        await first.DisposeAsync();
        await _fixture.Cluster.Api.StopServerAsync();
        var again = factory.AcquireAsync(Fixture.Spec, _ => { }, default);
        for (var i = 0; i < 3; i++) await MoveAsync(_clock, Look);
        Assert.False(again.IsCompleted);
        await _fixture.Cluster.Api.StartServerAsync();

        await using var second = await MoveUntilAsync(again, _clock);
        Assert.True(second.Term > first.Term);
    }

    [Fact]
    public async Task Acquire_ServerNeverThere_SaysSo()
    {
        await _fixture.Cluster.Api.StopServerAsync();
        await Assert.ThrowsAsync<SupervisorException>(() => AcquireAsync(_clock));
    }

    [Fact]
    public async Task Dispose_Twice_GivesTheLeaseUpOnce()
    {
        var term = await AcquireAsync(_clock);
        await term.DisposeAsync();
        await term.DisposeAsync();
        Assert.Equal("", (await ReadAsync()).Spec.HolderIdentity);
        await using var next = await AcquireAsync(new TestClock());
        Assert.Equal(term.Term + 1, next.Term);
    }

    [Fact]
    public async Task Renew_ManyPodsBeingCreated_IsNotHeldUp()
    {
        var factory = _fixture.Factory(configure: o => (o.MaxConcurrentRequests, o.LeaseDuration) = (2, TimeSpan.FromSeconds(15)), time: _clock);
        await using var cluster = factory.Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
        await using var term = await MoveUntilAsync(factory.Leadership.AcquireAsync(Fixture.Spec, _ => { }, default), _clock);
        using var held = _fixture.Cluster.Api.DelayRequests(TimeSpan.FromMinutes(5), r => r.Resource == "pods", count: 2);
        using var stop = new CancellationTokenSource();
        var creating = Enumerable.Range(0, 3).Select(i => cluster.CreatePodAsync(
            Fixture.Spec, new Engine.PodRequest { Name = $"llm-trainer-{i}-1", Role = "trainer", Worker = new WorkerId("trainer", i) }, stop.Token)).ToList();
        await Watching.WatchRig.UntilAsync(() => _fixture.Cluster.Api.HeldRequests == 2);
        await RenewedAsync(_clock);

        Assert.False(term.Lost.IsCancellationRequested);
        await stop.CancelAsync();
        foreach (var create in creating) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
    }

    private IGangLeadership Factory(TestClock clock) => _fixture.Factory(configure: o => o.LeaseDuration = TimeSpan.FromSeconds(15), time: clock).Leadership;

    private Task<IGangTerm> AcquireAsync(TestClock clock) => Factory(clock).AcquireAsync(Fixture.Spec, _ => { }, default);

    private Task<V1Lease> ReadAsync() => _client.CoordinationV1.ReadNamespacedLeaseAsync("gang-llm", "default");

    /// <summary>Lets the leader renew once.</summary>
    private async Task RenewedAsync(TestClock clock)
    {
        var before = (await ReadAsync()).Metadata.ResourceVersion;
        await clock.ArmedAsync(Renewal, Renewal);
        clock.Advance(Renewal);
        await MoveUntilAsync(async () => (await ReadAsync()).Metadata.ResourceVersion != before, move: false);
    }

    private static async Task MoveAsync(TestClock clock, TimeSpan by)
    {
        clock.Advance(by);
        await Task.Delay(50);
    }

    private static async Task<IGangTerm> MoveUntilAsync(Task<IGangTerm> waiting, TestClock clock)
    {
        var limit = DateTime.UtcNow.AddSeconds(30);
        while (!waiting.IsCompleted)
        {
            Assert.True(DateTime.UtcNow < limit, "nobody leads");
            await MoveAsync(clock, TimeSpan.FromMilliseconds(200));
        }

        return await waiting;
    }

    private async Task MoveUntilAsync(Func<Task<bool>> condition, bool move = true)
    {
        var limit = DateTime.UtcNow.AddSeconds(30);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < limit, "waited for too long");
            if (move) _clock.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(10);
        }
    }
}
