using System.Reactive.Linq;
using System.Reactive.Threading.Tasks;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Tests.Gangs;

/// <summary>What a gang's handle says while another process leads, or nobody is known to: nothing is dropped without a word.</summary>
public sealed class NotLeadingTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Failure Sick = new(FailureKind.NodeUnhealthy, "Xid 79", DateTimeOffset.UnixEpoch) { Worker = new WorkerId("trainer", 0), SeenBy = "dcgm" };

    private readonly FakeCluster _cluster = new();
    private readonly SemaphoreSlim _leads = new(0);
    private readonly CancellationTokenSource _lifetime = new();
    private readonly GangRunner _runner;
    private Task _starting = Task.CompletedTask;

    public NotLeadingTests()
    {
        var detector = Substitute.For<IFailureDetector>();
        detector.Watch(null!).ReturnsForAnyArgs(_ =>
        {
            _leads.Release();
            return Observable.Never<Failure>();
        });
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")).Build();
        _runner = new GangRunner(spec, _cluster, new Gateway(), new UserDetectors([detector]), TimeProvider.System, NullLogger.Instance);
    }

    private GangHandle Handle => _runner.Handle;

    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync();
        await Task.WhenAny(_starting);
        _leads.Dispose();
        _lifetime.Dispose();
    }

    private async Task<FakeCluster.Candidate> StartAsync()
    {
        _starting = _runner.StartAsync(_lifetime.Token, default);
        return await _cluster.NextAsync();
    }

    private async Task<FakeCluster.Candidate> LeadAsync()
    {
        var term = await StartAsync();
        term.Lead();
        await _starting.WaitAsync(Patience);
        Assert.True(await _leads.WaitAsync(Patience));
        return term;
    }

    private async Task<FakeCluster.Candidate> LoseAsync()
    {
        (await LeadAsync()).Lose();
        return await _cluster.NextAsync();
    }

    [Fact]
    public async Task ReportFailure_Leading_IsTaken()
    {
        await LeadAsync();
        var taken = Handle.Failures.FirstAsync().ToTask();
        Handle.ReportFailure(Sick);
        Handle.RequestGrow();

        Assert.Equal("Xid 79", (await taken.WaitAsync(Patience)).Evidence);
    }

    [Fact]
    public async Task ReportFailure_AnotherLeads_SaysWho()
    {
        (await StartAsync()).SeesLeader("launcher-2_0a1b2c3d");

        Assert.Contains("launcher-2_0a1b2c3d holds its Lease", Assert.Throws<SupervisorException>(() => Handle.ReportFailure(Sick)).Message, StringComparison.Ordinal);
        Assert.Contains("launcher-2_0a1b2c3d holds its Lease", Assert.Throws<SupervisorException>(Handle.RequestGrow).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReportFailure_LeaseJustLost_IsRefusedAtOnceAndTakenWhenItLeadsAgain()
    {
        var first = await LeadAsync();
        first.Lose();
        var error = Assert.Throws<SupervisorException>(() => Handle.ReportFailure(Sick));
        var next = await _cluster.NextAsync();
        next.SeesLeader("launcher-2");
        next.SeesLeader(null);
        Assert.Equal(error.Message, Assert.Throws<SupervisorException>(() => Handle.ReportFailure(Sick)).Message);
        next.Lead();
        Assert.True(await _leads.WaitAsync(Patience));
        var taken = Handle.Failures.FirstAsync().ToTask();
        Handle.ReportFailure(Sick);

        Assert.Contains("try again", error.Message, StringComparison.Ordinal);
        await taken.WaitAsync(Patience);
    }

    [Fact]
    public async Task ReportFailure_HostStopped_SaysSo()
    {
        await LeadAsync();
        await _lifetime.CancelAsync();

        Assert.Contains("stopped", Assert.Throws<SupervisorException>(() => Handle.ReportFailure(Sick)).Message, StringComparison.Ordinal);
        await _runner.DisposeAsync();
        Assert.Contains("stopped", Assert.Throws<SupervisorException>(() => Handle.ReportFailure(Sick)).Message, StringComparison.Ordinal);
        Assert.Contains("stopped", (await Assert.ThrowsAsync<SupervisorException>(() => Handle.StopAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReportFailure_GangIsOver_IsNoError()
    {
        await LeadAsync();
        await Handle.StopAsync().WaitAsync(Patience);
        Handle.ReportFailure(Sick);
        Handle.RequestGrow();

        Assert.Equal(GangPhase.Stopped, (await Handle.StopAsync()).Phase);
    }

    [Fact]
    public async Task StopAsync_AnotherLeads_FailsAndSaysWho()
    {
        (await StartAsync()).SeesLeader("launcher-2");

        Assert.Contains("launcher-2 holds its Lease", (await Assert.ThrowsAsync<SupervisorException>(() => Handle.StopAsync().WaitAsync(Patience))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StopAsync_NobodyKnownToLead_EndsTheGangWhenThisProcessLeadsAgain()
    {
        var next = await LoseAsync();
        var stopping = Handle.StopAsync();
        Assert.False(stopping.IsCompleted);
        next.Lead();

        Assert.Equal(GangPhase.Stopped, (await stopping.WaitAsync(Patience)).Phase);
    }

    [Fact]
    public async Task StopAsync_AnotherTurnsOutToLead_FailsAndSaysWho()
    {
        var next = await LoseAsync();
        var stopping = Handle.StopAsync();
        next.SeesLeader("launcher-2");

        Assert.Contains("launcher-2", (await Assert.ThrowsAsync<SupervisorException>(() => stopping.WaitAsync(Patience))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StopAsync_CancelledWhileNobodyLeads_EndsTheWait()
    {
        await LoseAsync();
        using var limit = new CancellationTokenSource();
        var stopping = Handle.StopAsync(cancellationToken: limit.Token);
        await limit.CancelAsync();

        Assert.Equal(limit.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopping.WaitAsync(Patience))).CancellationToken);
    }

    private sealed class Gateway : IAgentGateway
    {
        public ValueTask<string> GetEndpointAsync(CancellationToken cancellationToken) => ValueTask.FromResult("https://supervisor:1");

        public IGangAgents Serve(GangSpec spec, long term, GangCredentials credentials, Action<GangInput> sink) => Substitute.For<IGangAgents>();
    }
}
