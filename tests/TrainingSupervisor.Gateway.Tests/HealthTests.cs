using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>Commands beside the worker, its health, and its own step time, on the wire and in the machine's words.</summary>
public sealed class HealthTests
{
    [Fact]
    public async Task Welcome_OfARoleWithHealth_CarriesItAndThatOfAnotherDoesNot()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve(more: g => g.AddRole("evaluator", r => r
            .WithCount(1).WithImage("eval:1").WithCommand("eval").WithAgentInImage("/agent")
            .WithHealthCheck(["check", "-x"], TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(2), failures: 4).WithFailurePattern("Xid").WithFailurePattern("ECC")));

        var evaluator = await WelcomeAsync(gang, "evaluator");
        Assert.Equal(["check", "-x"], evaluator.HealthCheck.Command);
        Assert.Equal((5000, 2000, 4), (evaluator.HealthCheck.IntervalMs, evaluator.HealthCheck.TimeoutMs, evaluator.HealthCheck.Failures));
        Assert.Equal(["Xid", "ECC"], evaluator.FailurePatterns);
        var trainer = await WelcomeAsync(gang, "trainer");
        Assert.Null(trainer.HealthCheck);
        Assert.Empty(trainer.FailurePatterns);
    }

    [Fact]
    public async Task Run_OnTheWire_CarriesAllAndItsResultIsReported()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve(term: 9);
        await using var agent = await gang.JoinAsync("a");

        gang.Agents.Run(new Engine.RunCommand("a", "uid-a", "hang-3", ["py-spy", "dump"], TimeSpan.FromSeconds(7)));

        var message = await agent.NextAsync(SupervisorMessage.KindOneofCase.RunCommand);
        Assert.Equal((9L, "uid-a", "hang-3", 7000), (message.Term, message.PodUid, message.RunCommand.Id, message.RunCommand.TimeoutMs));
        Assert.Equal(["py-spy", "dump"], message.RunCommand.Argv);
        await agent.SayAsync(new AgentMessage { CommandResult = new CommandResult { Id = "hang-3", ExitCode = 137, TimedOut = true, Output = new string('x', 16384) } });
        Assert.Equal(new CommandRan("a", "uid-a", "hang-3", 137, true, new string('x', 16384)), await gang.Sink.NextAsync<CommandRan>());
    }

    [Fact]
    public async Task Run_ForAPodThatIsNotConnected_IsNoError()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();

        gang.Agents.Run(new Engine.RunCommand("a", "uid-a", "x", ["true"], TimeSpan.FromSeconds(1)));

        Assert.Contains("RunCommand for Pod uid-a, which is not connected", Assert.Single(gateway.Log.Lines), StringComparison.Ordinal);
    }

    public static TheoryData<double?, double?> OwnTimes => new()
    {
        { 0.25, 0.25 }, { 0, 0 }, { null, null }, { -1, null }, { double.NaN, null }, { double.PositiveInfinity, null },
    };

    [Theory]
    [MemberData(nameof(OwnTimes))]
    public async Task Progress_WithOwnSeconds_IsReportedOrUnknown(double? said, double? known)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");
        var progress = new Progress { Attempt = 1, Step = 7 };
        if (said is { } seconds) progress.OwnSeconds = seconds;

        await agent.SayAsync(new AgentMessage { Progress = progress });

        Assert.Equal(known, (await gang.Sink.NextAsync<ProgressSeen>()).Progress.OwnSeconds);
    }

    [Theory]
    [InlineData(0, UnhealthySource.Worker)]
    [InlineData(1, UnhealthySource.HealthCommand)]
    [InlineData(2, UnhealthySource.LogPattern)]
    [InlineData(77, UnhealthySource.Worker)]
    public async Task Progress_Unhealthy_NamesWhoFoundIt(int by, object source)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");

        await agent.SayAsync(new AgentMessage { Progress = new Progress { Attempt = 1, Unhealthy = "bad", UnhealthyBy = (Progress.Types.UnhealthyBy)by } });

        var seen = (await gang.Sink.NextAsync<ProgressSeen>()).Progress;
        Assert.Equal(("bad", (UnhealthySource)source), (seen.Unhealthy, seen.UnhealthyBy));
    }

    [Fact]
    public async Task Progress_UnhealthyForSeveralReasons_NamesThem()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");
        var progress = new Progress { Attempt = 1, Unhealthy = "bad", UnhealthyBy = Progress.Types.UnhealthyBy.LogPattern };
        progress.Others.Add(new Progress.Types.Ailment { Words = "" });
        for (var i = 0; i < 1000; i++) progress.Others.Add(new Progress.Types.Ailment { Words = $"worse {i}", By = Progress.Types.UnhealthyBy.HealthCommand });

        await agent.SayAsync(new AgentMessage { Progress = progress });

        var others = (await gang.Sink.NextAsync<ProgressSeen>()).Progress.Others;
        Assert.Equal(15, others.Length);
        Assert.Equal(new Ailment("worse 0", UnhealthySource.HealthCommand), others[0]);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(90_000, 90.0)]
    [InlineData(-1, null)]
    [InlineData(long.MaxValue, null)]
    public async Task Exit_AfterAnOomKillLongBefore_IsReportedWithThatOrWithoutRubbish(long said, double? known)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");

        await agent.SayAsync(new AgentMessage { State = new AgentState { Phase = AgentState.Types.Phase.Exited, Attempt = 1, Exit = new Protocol.WorkerExit { Code = 1, OomKillBeforeMs = said } } });

        var exit = (await gang.Sink.NextAsync<AgentSeen>(s => s.Agent.Exit is not null)).Agent.Exit!;
        Assert.Equal((1, known), (exit.Code, exit.OomKillBefore?.TotalSeconds));
    }

    private static async Task<Welcome> WelcomeAsync(ServedGang gang, string role)
    {
        await using var agent = gang.Agent();
        var hello = gang.Hello(role);
        hello.Role = role;
        await agent.SayAsync(new AgentMessage { Hello = hello });
        return (await agent.NextAsync(SupervisorMessage.KindOneofCase.Welcome)).Welcome;
    }
}
