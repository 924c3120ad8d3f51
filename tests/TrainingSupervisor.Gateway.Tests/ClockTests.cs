using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class ClockTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(3_600_000)]
    [InlineData(-3_600_000)]
    [InlineData(500)]
    public void Correct_ByTheLeastDelayedMessage_PutsTheClockRight(int skewMs)
    {
        var clock = new ClockOffset();
        foreach (var delay in new[] { 900, 3, 250, 40 }) clock.Add(Agent(Now.AddMilliseconds(-delay), skewMs), Now);

        Assert.Equal(Now.AddSeconds(-10).AddMilliseconds(3), clock.Correct(Agent(Now.AddSeconds(-10), skewMs), Now));
    }

    [Fact]
    public void Correct_OfAClockThatAgrees_ChangesNothing()
    {
        var clock = new ClockOffset();
        clock.Add(Agent(Now.AddMilliseconds(-30), 0), Now);

        Assert.Equal(Now.AddSeconds(-1), clock.Correct(Agent(Now.AddSeconds(-1), 0), Now));
    }

    [Fact]
    public void Correct_AfterTheClockWasSet_FollowsIt()
    {
        var clock = new ClockOffset();
        for (var i = 0; i < 40; i++) clock.Add(Agent(Now, 60_000), Now);
        for (var i = 0; i < 40; i++) clock.Add(Agent(Now, 0), Now);

        Assert.Equal(Now.AddSeconds(-1), clock.Correct(Agent(Now.AddSeconds(-1), 0), Now));
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(-5L)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public void Correct_OfNonsense_IsNow(long unixMs)
    {
        var clock = new ClockOffset();
        clock.Add(long.MaxValue, Now);
        clock.Add(long.MinValue, Now);
        clock.Add(0, Now);

        Assert.Equal(Now, clock.Correct(unixMs, Now));
    }

    [Fact]
    public async Task Exits_OfAgentsWithWrongClocks_AreRankedByWhenTheyHappened()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        var began = DateTimeOffset.UtcNow;
        // The first to fail is an hour ahead, so by the clocks' own words it failed last.
        var ended = new Dictionary<string, (TimeSpan Skew, TimeSpan After)>
        {
            ["ahead"] = (TimeSpan.FromHours(1), TimeSpan.FromSeconds(-20)),
            ["right"] = (TimeSpan.Zero, TimeSpan.FromSeconds(-15)),
            ["behind"] = (TimeSpan.FromHours(-1), TimeSpan.FromSeconds(-10)),
        };
        List<Failure> failures = [];
        foreach (var (pod, (skew, after)) in ended)
        {
            await using var agent = await gang.JoinAsync(pod, sent: DateTimeOffset.UtcNow + skew);
            await agent.BeatAsync(1, DateTimeOffset.UtcNow + skew);
            var exit = new WorkerExit { Code = 1, StartedUnixMs = 1, EndedUnixMs = (began + after + skew).ToUnixTimeMilliseconds() };
            await agent.SayStateAsync(new AgentState { Phase = Phase.Exited, Attempt = 1, Exit = exit }, DateTimeOffset.UtcNow + skew);
            var seen = await gang.Sink.NextAsync<AgentSeen>(s => s.Pod == pod && s.Agent.Exit is not null);
            failures.Add(new Failure(FailureKind.ApplicationError, "", seen.Agent.Exit!.Ended) { Pod = pod });
            Assert.InRange((seen.Agent.Exit.Ended - (began + after)).TotalSeconds, -0.1, 4.9);
        }

        failures.Reverse();
        Assert.Equal(["ahead", "right", "behind"], RecoveryPlanner.Rank(failures).Select(f => f.Pod));
    }

    private static long Agent(DateTimeOffset at, int skewMs) => at.ToUnixTimeMilliseconds() + skewMs;
}
