using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Protocol;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class StreamTests
{
    private const SupervisorMessage.KindOneofCase Restart = SupervisorMessage.KindOneofCase.Restart;

    [Fact]
    public async Task Hello_Accepted_IsWelcomedAndReported()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve(term: 7);
        await using var agent = gang.Agent();
        var hello = gang.Hello("a");
        hello.Progress = new Progress { Attempt = 2, Step = 5, Checkpoint = 4, Phase = "train" };

        await agent.SayAsync(new AgentMessage { Hello = hello });
        var message = await agent.NextAsync(SupervisorMessage.KindOneofCase.Welcome);

        Assert.Equal((7L, "uid-a", 2000, 30000), (message.Term, message.PodUid, message.Welcome.HeartbeatMs, message.Welcome.FenceMs));
        var seen = await gang.Sink.NextAsync<AgentSeen>();
        Assert.Equal(("a", "uid-a", "trainer", "10.0.0.1", "node-1"), (seen.Pod, seen.PodUid, seen.Role, seen.Address, seen.Node));
        Assert.Equal((hello.Instance, AgentPhase.Waiting), (seen.Agent.Instance, seen.Agent.Phase));
        Assert.Equal(new ProgressObservation(2, 5, 4, "train", ""), (await gang.Sink.NextAsync<ProgressSeen>()).Progress);
        await agent.BeatAsync(3);
        await agent.SayAsync(new AgentMessage { Quiesced = new QuiesceResult { Attempt = 2, Saved = true } });
        Assert.Equal(new QuiesceAnswered("a", "uid-a", 2, true), await gang.Sink.NextAsync<QuiesceAnswered>());
        await agent.SayAsync(new AgentMessage { Refused = new Refused { Reason = "no", Term = 7, Attempt = 2 } });
        Assert.Equal(new AgentRefused("a", "uid-a", "no", 7, 2), await gang.Sink.NextAsync<AgentRefused>());
        await agent.CompleteAsync();
        Assert.Equal(("a", "uid-a", hello.Instance), (await gang.Sink.NextAsync<AgentGone>()) is var gone ? (gone.Pod, gone.PodUid, gone.Instance) : default);
    }

    [Fact]
    public async Task Commands_OfEachKind_CarryTermAndPodUid()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve(term: 9);
        await using var agent = await gang.JoinAsync("a");

        gang.Agents.Restart(new RestartWorker("a", "uid-a", 3, InPlace: true, TimeSpan.FromSeconds(2), "why"));
        gang.Agents.Quiesce(new QuiesceWorker("a", "uid-a", 2, 10, TimeSpan.FromSeconds(5)));
        gang.Agents.Release(new ReleaseGang(3, new Engine.Roster("llm", 3, 29500, []), [new ReleaseTarget("a", "uid-a", 1)]));
        gang.Agents.Halt(new HaltAgent("a", "uid-a", 4, TimeSpan.FromSeconds(1), "over"));

        var restart = await agent.NextAsync(Restart);
        Assert.Equal((9L, "uid-a", 3, 2000, "why"), (restart.Term, restart.PodUid, restart.Restart.Attempt, restart.Restart.GraceMs, restart.Restart.Reason));
        Assert.Equal(Protocol.Restart.Types.Mode.InPlace, restart.Restart.Mode);
        var quiesce = await agent.NextAsync(SupervisorMessage.KindOneofCase.Quiesce);
        Assert.Equal((9L, "uid-a", 2, 10, 5000), (quiesce.Term, quiesce.PodUid, quiesce.Quiesce.Attempt, quiesce.Quiesce.Signal, quiesce.Quiesce.DeadlineMs));
        var release = await agent.NextAsync(SupervisorMessage.KindOneofCase.Release);
        Assert.Equal((9L, "uid-a", 3, 1), (release.Term, release.PodUid, release.Release.Attempt, release.Release.Rank));
        var halt = await agent.NextAsync(SupervisorMessage.KindOneofCase.Halt);
        Assert.Equal((9L, "uid-a", 4, 1000, "over"), (halt.Term, halt.PodUid, halt.Halt.ExitCode, halt.Halt.GraceMs, halt.Halt.Reason));
    }

    [Fact]
    public async Task Command_ForAPodThatIsNotConnected_IsNoError()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();

        gang.Agents.Restart(new RestartWorker("a", "uid-a", 3, InPlace: true, TimeSpan.Zero, "why"));

        Assert.Contains("Restart for Pod uid-a, which is not connected", Assert.Single(gateway.Log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_ASecondTimeForAPod_ReplacesTheFirstWhoseRestIsNotHeard()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var first = await gang.JoinAsync("a", h => h.Instance = "first");
        await gang.Sink.NextAsync<AgentSeen>(s => s.Agent.Instance == "first");

        await using var second = await gang.JoinAsync("a", h => h.Instance = "second");
        await gang.Sink.NextAsync<AgentSeen>(s => s.Agent.Instance == "second");
        Assert.NotEqual(StatusCode.DeadlineExceeded, (await first.EndAsync()).StatusCode);
        await second.BeatAsync();
        gang.Agents.Restart(new RestartWorker("a", "uid-a", 2, false, TimeSpan.Zero, "for the second"));
        Assert.Equal("for the second", (await second.NextAsync(Restart)).Restart.Reason);
        await second.CompleteAsync();
        await gang.Sink.NextAsync<AgentGone>(g => g.Instance == "second");

        Assert.DoesNotContain(gang.Sink.All, i => i is AgentGone { Instance: "first" });
    }

    [Fact]
    public async Task Replaced_StreamWithMessagesOnTheWay_IsNotHeardAfterTheNewHello()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        var agents = gateway.Gateway.Find("llm.default.gang")!;
        LateReader old = new(), next = new();
        var aborted = 0;
        var first = RunAsync("first", old);
        await gang.Sink.NextAsync<AgentSeen>(s => s.Agent.Instance == "first");

        // A restart in place: the old process has said that it leaves, and the new one is quicker than that word.
        var second = RunAsync("second", next);
        await gang.Sink.NextAsync<AgentSeen>(s => s.Agent.Instance == "second");
        old.Say(new AgentMessage { State = new AgentState { Phase = Phase.Leaving } });
        old.Say(new AgentMessage { Progress = new Progress { Step = 5 } });
        await Limits.UntilAsync(() => old.Asked == 3, "the old stream's messages read");
        old.End();
        await first.Soon();
        next.Say(new AgentMessage { State = new AgentState { Phase = Phase.Running, Attempt = 2 } });
        next.End();
        await second.Soon();

        Assert.Equal(["first Waiting", "second Waiting", "second Running", "second gone"], gang.Sink.All.Select(i => i switch
        {
            AgentSeen s => $"{s.Agent.Instance} {s.Agent.Phase}",
            AgentGone g => $"{g.Instance} gone",
            _ => i.ToString(),
        }));
        Assert.Equal(1, aborted);

        Task RunAsync(string instance, LateReader reader)
        {
            var hello = gang.Hello("a");
            hello.Instance = instance;
            return agents.RunAsync(hello, 0, reader, new HeldWriter(), () => aborted++, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Connect_ManyTimesForAPodAtOnce_LeavesOneOrderOfEvents()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        var agents = Enumerable.Range(0, 30).Select(i => (Agent: gang.Agent(), Instance: $"i{i}")).ToList();
        await Task.WhenAll(agents.Select(async a =>
        {
            var hello = gang.Hello("a");
            hello.Instance = a.Instance;
            await a.Agent.SayAsync(new AgentMessage { Hello = hello });
            for (var n = 0; n < 20; n++)
            {
                try
                {
                    await a.Agent.SayStateAsync(new AgentState { Phase = Phase.Running, Attempt = n });
                }
                catch (Exception e) when (e is RpcException or InvalidOperationException or IOException)
                {
                    break; // Replaced: that is the point.
                }
            }

            await a.Agent.DisposeAsync();
        }));
        await gang.Sink.NextAsync<AgentGone>();

        // Each instance speaks in one piece: once another has been heard, nothing more of the one before.
        var said = gang.Sink.All.OfType<AgentSeen>().Select(s => s.Agent.Instance).ToList();
        var turns = said.Where((instance, i) => i == 0 || said[i - 1] != instance).ToList();
        Assert.Equal(turns.Distinct().Count(), turns.Count);
        Assert.Equal(turns[^1], gang.Sink.All.OfType<AgentGone>().Last().Instance);
    }

    [Fact]
    public async Task Silence_ForThreeHeartbeats_EndsThatStreamOnly()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var gateway = await GatewayFixture.StartAsync(time);
        await using var gang = gateway.Serve();
        await using var silent = await gang.JoinAsync("silent");
        await using var lively = await gang.JoinAsync("lively");
        var lastSign = time.GetUtcNow();
        for (var i = 1; i <= 5; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await lively.BeatAsync(i);
        }

        Assert.DoesNotContain(gang.Sink.All, i => i is AgentGone);
        time.Advance(TimeSpan.FromSeconds(1));
        var gone = await gang.Sink.NextAsync<AgentGone>();

        Assert.Equal(("silent", lastSign), (gone.Pod, gone.LastSign));
        await silent.EndAsync();
        await lively.BeatAsync(9);
        Assert.Contains("no word from the agent in Pod silent for 6.0 s", Assert.Single(gateway.Log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stall_OfOurOwnProcess_GivesAllAgentsAnotherSilence()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var gateway = await GatewayFixture.StartAsync(time);
        await using var gang = gateway.Serve();
        await using var silent = await gang.JoinAsync("silent");
        await using var lively = await gang.JoinAsync("lively");

        time.Advance(TimeSpan.FromSeconds(60));
        Assert.Contains(gateway.Log.Warnings, l => l.Contains("did not run for 60.0 s", StringComparison.Ordinal));
        await lively.BeatAsync(1);
        var woke = time.GetUtcNow();
        for (var i = 2; i <= 6; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await lively.BeatAsync(i);
            Assert.DoesNotContain(gang.Sink.All, s => s is AgentGone);
        }

        time.Advance(TimeSpan.FromSeconds(1));
        var gone = await gang.Sink.NextAsync<AgentGone>();

        // What came before it was not heard by us: the machine must not count it against the agent.
        Assert.Equal(("silent", woke), (gone.Pod, gone.LastSign));
    }

    [Fact]
    public async Task Stall_AfterWhichAnAgentHasLeft_IsNotCountedAgainstIt()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var gateway = await GatewayFixture.StartAsync(time);
        await using var gang = gateway.Serve(more: g => g.WithHeartbeat(TimeSpan.FromSeconds(20)).WithFence(TimeSpan.FromMinutes(2)));
        await using var agent = await gang.JoinAsync("a");

        // The sweep is due in 20 s only: it has not noticed anything when the stream's end is seen.
        time.Advance(TimeSpan.FromSeconds(59));
        await agent.CompleteAsync();

        Assert.Equal(time.GetUtcNow(), (await gang.Sink.NextAsync<AgentGone>()).LastSign);
    }

    [Fact]
    public async Task SlowReader_IsClosedAndDelaysNobody()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var slow = await gang.JoinAsync("slow");
        await using var fast = await gang.JoinAsync("fast");
        var words = new string('x', 64 * 1024);
        Assert.InRange(AgentConnection.MostWaiting, 1, 1024);

        // More than all windows and buffers on the way hold, and the queue as well.
        for (var i = 0; i < AgentConnection.MostWaiting + 200; i++)
        {
            gang.Agents.Restart(new RestartWorker("slow", "uid-slow", 2, false, TimeSpan.Zero, words));
            if (i % 100 != 0) continue;
            gang.Agents.Restart(new RestartWorker("fast", "uid-fast", i, false, TimeSpan.Zero, "quick"));
            Assert.Equal(i, (await fast.NextAsync(Restart)).Restart.Attempt);
        }

        Assert.Equal("slow", (await gang.Sink.NextAsync<AgentGone>()).Pod);
        Assert.Contains("the agent in Pod slow does not read", Assert.Single(gateway.Log.Warnings), StringComparison.Ordinal);
        await fast.BeatAsync();
    }

    [Fact]
    public async Task Stream_ThatHasCarriedMuch_GoesOn()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");
        var message = new AgentMessage { Progress = new Progress { Attempt = 1, Unhealthy = new string('x', 60_000) } };

        // A server's usual limit of 30 MB for a request would end a stream that lasts for weeks.
        for (var i = 0; i < 600; i++) await agent.SayAsync(message);

        await agent.BeatAsync();
    }
}
