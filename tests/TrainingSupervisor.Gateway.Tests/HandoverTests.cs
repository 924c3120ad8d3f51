using Grpc.Core;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class HandoverTests
{
    [Fact]
    public async Task DisposeAsync_RightAfterAHalt_LetsEveryAgentHaveIt()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        var agents = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => gang.JoinAsync($"p{i}")));
        using var stop = new CancellationTokenSource();
        var beating = agents.Select(a => BeatAsync(a, stop.Token)).ToList();
        foreach (var i in Enumerable.Range(0, 20)) gang.Agents.Halt(new HaltAgent($"p{i}", $"uid-p{i}", i, TimeSpan.Zero, new string('x', 30_000)));

        await gang.DisposeAsync();

        for (var i = 0; i < agents.Length; i++)
        {
            Assert.Equal(i, (await agents[i].NextAsync(SupervisorMessage.KindOneofCase.Halt)).Halt.ExitCode);
            Assert.Equal(StatusCode.OK, (await agents[i].EndAsync()).StatusCode);
        }

        await stop.CancelAsync();
        await Task.WhenAll(beating);
        foreach (var agent in agents) await agent.DisposeAsync();
        // The end of a term is no loss of its agents.
        Assert.DoesNotContain(gang.Sink.All, i => i is AgentGone);
    }

    [Fact]
    public async Task Serve_ForANewTermAfterDispose_TakesTheAgentsOver()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        var old = gateway.Serve(term: 1);
        await using var agent = await old.JoinAsync("a");

        await old.DisposeAsync();
        await old.DisposeAsync();
        await agent.EndAsync();
        var heard = old.Sink.All.Count;
        await using var next = gateway.Serve(term: 2, credentials: old.Credentials);
        await using var again = next.Agent();
        await again.SayAsync(new AgentMessage { Hello = next.Hello("a") });

        Assert.Equal(2, (await again.NextAsync(SupervisorMessage.KindOneofCase.Welcome)).Term);
        await next.Sink.NextAsync<AgentSeen>();
        Assert.Equal(heard, old.Sink.All.Count);
    }

    [Fact]
    public async Task Serve_WhileServed_ThrowsAndLeavesTheFirst()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();

        Assert.Throws<InvalidOperationException>(() => gateway.Serve());

        await using var agent = await gang.JoinAsync("a");
    }

    [Fact]
    public async Task StopAsync_WithAgentsConnected_EndsTheirStreams()
    {
        var gateway = await GatewayFixture.StartAsync();
        var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");

        await gateway.DisposeAsync().AsTask().Soon();

        await agent.EndAsync();
        await gateway.DisposeAsync();
    }

    private static async Task BeatAsync(TestAgent agent, CancellationToken cancellationToken)
    {
        try
        {
            for (var i = 0; !cancellationToken.IsCancellationRequested; i++) await agent.SayAsync(new AgentMessage { Heartbeat = new Heartbeat { Sequence = i } });
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or IOException)
        {
            // The stream has ended, as it should.
        }
    }
}
