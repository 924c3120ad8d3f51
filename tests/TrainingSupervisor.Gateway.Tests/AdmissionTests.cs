using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class AdmissionTests
{
    public static TheoryData<string> WrongTokens => ["", "Bearer", "Bearer ", "{token}", "bearer {token}", "Bearer {token}x", "Bearer x{token}", "Bearer {half}", "Bearer {other}"];

    [Theory]
    [MemberData(nameof(WrongTokens))]
    public async Task Connect_WithAWrongToken_IsUnauthenticatedAndNobodyHearsOfIt(string authorization)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var other = gateway.Serve("other");
        var token = gang.Credentials.Token;
        authorization = authorization.Replace("{token}", token, StringComparison.Ordinal).Replace("{half}", token[..32], StringComparison.Ordinal)
            .Replace("{other}", other.Credentials.Token, StringComparison.Ordinal);

        await using var agent = gang.Agent(authorization);
        var end = await agent.EndAsync();

        Assert.Equal((StatusCode.Unauthenticated, "wrong token"), (end.StatusCode, end.Detail));
        Assert.Empty(gang.Sink.All);
        Assert.Contains("wrong token", Assert.Single(gateway.Log.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain(gateway.Log.Lines, l => l.Contains(token[..32], StringComparison.Ordinal) || l.Contains(other.Credentials.Token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connect_WithTheTokenAndBadHellos_NeverLogsTheToken()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        foreach (var message in new AgentMessage[] { new() { Heartbeat = new Heartbeat() }, new() { Hello = new Hello() }, new() { Hello = gang.Hello("a") } })
        {
            await using var agent = gang.Agent();
            await agent.SayAsync(message);
            await agent.CompleteAsync();
            await agent.EndAsync();
        }

        gang.Agents.Restart(new Engine.RestartWorker("b", "nobody", 1, false, TimeSpan.Zero, "test"));
        Assert.NotEmpty(gateway.Log.Lines);
        Assert.DoesNotContain(gateway.Log.Lines, l => l.Contains(gang.Credentials.Token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connect_ToAGangThatIsNotLed_FailsInTlsAndIsSaidOnce()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        for (var i = 0; i < 3; i++)
        {
            await using var agent = new TestAgent(gateway.Port, "stranger.default.gang", "Bearer x");
            var end = await agent.EndAsync();
            Assert.Equal(StatusCode.Unavailable, end.StatusCode);
        }

        await Limits.UntilAsync(() => gateway.Log.Warnings.Any(), "a log line");
        Assert.Contains("'stranger.default.gang', and this process leads no such gang", Assert.Single(gateway.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_OverTheConnectionOfAGangThatIsLedNoMore_IsAFailedPrecondition()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");
        await gang.DisposeAsync();
        Assert.Equal(StatusCode.OK, (await agent.EndAsync()).StatusCode);

        var end = await agent.Again("Bearer " + gang.Credentials.Token).EndAsync();

        Assert.Equal((StatusCode.FailedPrecondition, "this supervisor does not lead that gang"), (end.StatusCode, end.Detail));
    }

    [Fact]
    public async Task Hello_OfAnotherGangThanTheTokens_IsRefused()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var other = gateway.Serve("other");
        await using var agent = gang.Agent();

        await agent.SayAsync(new AgentMessage { Hello = other.Hello("a") });
        var end = await agent.EndAsync();

        Assert.Equal(StatusCode.InvalidArgument, end.StatusCode);
        Assert.Contains("the hello is of gang 'other'", end.Detail, StringComparison.Ordinal);
        Assert.Empty(gang.Sink.All.Concat(other.Sink.All));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Connect_WhoseFirstMessageIsNoHello_IsRefused(bool says)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = gang.Agent();

        if (says) await agent.SayAsync(new AgentMessage { Heartbeat = new Heartbeat { Sequence = 1 } });
        else await agent.CompleteAsync();
        var end = await agent.EndAsync();

        Assert.Equal((StatusCode.InvalidArgument, "the first message must be a hello"), (end.StatusCode, end.Detail));
    }

    public static TheoryData<string, string> BadHellos => new()
    {
        { "pod_name", "lacks pod_name" }, { "pod_uid", "lacks pod_uid" }, { "instance", "lacks instance" }, { "state", "lacks state" },
        { "all", "lacks pod_name, pod_uid, instance, role, state" }, { "role", "has no role 'cook'" }, { "phase", "phase 77 is unknown" },
        { "attempt", "negative" }, { "long", "pod_name is longer than 253" },
    };

    [Theory]
    [MemberData(nameof(BadHellos))]
    public async Task Hello_ThatCannotBe_IsRefusedWithWhatIsWrong(string which, string said)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = gang.Agent();
        var hello = gang.Hello("a");
        switch (which)
        {
            case "pod_name": hello.PodName = ""; break;
            case "pod_uid": hello.PodUid = ""; break;
            case "instance": hello.Instance = ""; break;
            case "state": hello.State = null; break;
            case "role": hello.Role = "cook"; break;
            case "phase": hello.State.Phase = (AgentState.Types.Phase)77; break;
            case "attempt": hello.State.Attempt = -1; break;
            case "long": hello.PodName = new string('x', 254); break;
            default: hello = new Hello { Gang = hello.Gang, Namespace = hello.Namespace }; break;
        }

        await agent.SayAsync(new AgentMessage { Hello = hello });
        var end = await agent.EndAsync();

        Assert.Equal(StatusCode.InvalidArgument, end.StatusCode);
        Assert.Contains(said, end.Detail, StringComparison.Ordinal);
        Assert.Empty(gang.Sink.All);
        Assert.Contains(said, Assert.Single(gateway.Log.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hello_OfAPodThatHasObeyedALaterTerm_IsRefused()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve(term: 4);
        await using var agent = gang.Agent();
        var hello = gang.Hello("a");
        hello.Term = 5;

        await agent.SayAsync(new AgentMessage { Hello = hello });
        var end = await agent.EndAsync();

        Assert.Equal((StatusCode.FailedPrecondition, "term 4 is over: Pod a has obeyed term 5"), (end.StatusCode, end.Detail));
        Assert.Empty(gang.Sink.All);
    }

    [Fact]
    public async Task Connect_BeforeAnyMessage_HasItsHeaders()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = gang.Agent();

        await agent.HeadersAsync();
        await agent.SayAsync(new AgentMessage { Hello = gang.Hello("a") });

        await agent.NextAsync(SupervisorMessage.KindOneofCase.Welcome);
    }
}
