using System.Net;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace TrainingSupervisor.Tests.Hosting;

/// <summary>A gang's name is free again in its process once the gang has ended there.</summary>
public sealed class LaunchAgainTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FakeCluster _cluster = new();
    private readonly Supervisor _supervisor;

    public LaunchAgainTests() => _supervisor = new Supervisor(
        Options.Create(new TrainingSupervisorOptions { Gateway = { ListenAddress = IPAddress.Loopback } }), [], TimeProvider.System, NullLoggerFactory.Instance, _cluster);

    public ValueTask DisposeAsync() => _supervisor.DisposeAsync();

    private static GangSpec Spec() =>
        Gang.Create("llm").AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")).Build();

    private async Task<(GangHandle Gang, FakeCluster.Candidate Term)> LaunchAsync()
    {
        var launching = _supervisor.LaunchAsync(Spec());
        if (launching.IsFaulted) await launching;
        var term = await _cluster.NextAsync();
        term.Lead();
        return (await launching.WaitAsync(Patience), term);
    }

    private async Task<HealthStatus> HealthAsync() => (await new SupervisorHealthCheck(_supervisor).CheckHealthAsync(new HealthCheckContext())).Status;

    [Fact]
    public async Task LaunchAsync_GangHasNotEnded_IsRefused()
    {
        var (gang, _) = await LaunchAsync();

        Assert.Contains("use its handle", (await Assert.ThrowsAsync<SupervisorException>(() => _supervisor.LaunchAsync(Spec()))).Message, StringComparison.Ordinal);
        Assert.Same(gang, Assert.Single(_supervisor.Gangs));
        Assert.False(gang.Completion.IsCompleted);
    }

    [Fact]
    public async Task LaunchAsync_GangHasEnded_IsANewGangBesideTheOldHandle()
    {
        var (first, _) = await LaunchAsync();
        await first.StopAsync().WaitAsync(Patience);
        var (second, _) = await LaunchAsync();

        Assert.NotSame(first, second);
        Assert.Same(second, Assert.Single(_supervisor.Gangs));
        Assert.Equal((GangPhase.Stopped, GangPhase.Stopped), ((await first.Completion).Phase, first.Status.Phase));
        Assert.False(second.Completion.IsCompleted);
        Assert.True(second.IsLeading);
    }

    [Fact]
    public async Task LaunchAsync_EndedGangStillHoldsItsLease_WaitsForThat()
    {
        var (first, term) = await LaunchAsync();
        var slow = new TaskCompletionSource();
        term.Slow = slow.Task;
        await first.StopAsync().WaitAsync(Patience);
        var launching = LaunchAsync();
        slow.SetResult();
        await launching;

        Assert.Equal(0, _cluster.Overlaps);
    }

    [Fact]
    public async Task LaunchAsync_SupervisionHadEndedByAnError_TakesTheGangOverAndIsHealthyAgain()
    {
        var (first, term) = await LaunchAsync();
        _cluster.Refusal = new RejectedException("not with this quota");
        term.Lose();
        (await _cluster.NextAsync()).Lead();
        await Assert.ThrowsAsync<RejectedException>(() => first.Completion.WaitAsync(Patience));
        Assert.Equal(HealthStatus.Unhealthy, await HealthAsync());
        _cluster.Refusal = null;
        _cluster.Record = new Engine.GangRecord { Phase = GangPhase.Running, Attempt = 3 };
        var (second, _) = await LaunchAsync();

        Assert.InRange(second.Status.Attempt, 3, int.MaxValue);
        Assert.Equal(HealthStatus.Healthy, await HealthAsync());
    }

    [Fact]
    public async Task LaunchAsync_RefusedAfterTheFirstHasEnded_LeavesTheFirstInSight()
    {
        var (first, _) = await LaunchAsync();
        await first.StopAsync().WaitAsync(Patience);
        _cluster.Refusal = new RejectedException("it is being deleted");

        await Assert.ThrowsAsync<RejectedException>(LaunchAsync);
        Assert.Same(first, Assert.Single(_supervisor.Gangs));
    }
}
