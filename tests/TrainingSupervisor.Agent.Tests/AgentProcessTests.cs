using System.Net.Sockets;
using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

public sealed class AgentProcessTests : AgentTest
{
    [Fact]
    public async Task Run_ThroughAWholeLife_ObeysEachCommand()
    {
        var agent = Start("sh", "-c", "echo \"step $RANK\" >> $GANG_PROGRESS_FILE; echo bad >&2; test $GANG_ATTEMPT != 1 && exec sleep 60; exit 3");
        var hello = await Gateway.HelloAsync();
        Assert.Equal(("llm", "uid", Phase.Waiting, 0, true), (hello.Gang, hello.PodUid, hello.State.Phase, hello.State.Attempt, hello.ReadsGzip));
        Assert.Equal("Bearer secret-token", Gateway.Authorizations.First());

        await Gateway.SayAsync(Release(1));
        Assert.Equal(1, (await Gateway.NextAsync(m => m.Progress is not null)).Progress.Step);
        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;
        Assert.Equal((3, 0, "bad\n"), (exit.Code, exit.Signal, exit.StderrTail));

        await Gateway.SayAsync(Restart(2));
        Assert.Equal(2, (await Gateway.NextStateAsync(Phase.Waiting)).Attempt);
        await Gateway.SayAsync(Release(2));
        await Gateway.NextStateAsync(Phase.Running);
        await Gateway.SayAsync(Restart(3, inPlace: true));
        await Gateway.NextStateAsync(Phase.Leaving);
        Assert.Equal(88, await agent.ExitAsync());

        agent = Start("true");
        Assert.Equal(1, (await Gateway.HelloAsync()).Term);
        await Gateway.SayAsync(Release(2));
        Assert.Contains("attempt 2 is over", (await Gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
        await Gateway.SayAsync(Halt(9));
        Assert.Equal(9, await agent.ExitAsync());
    }

    [Theory]
    [InlineData("kill -SEGV $$", 139, 11, false)]
    [InlineData("exit 255", 255, 0, false)]
    [InlineData(null, 127, 0, true)]
    public async Task Release_OfACommandThatEnds_ReportsExactly(string? script, int code, int signal, bool notStarted)
    {
        Start(script is null ? ["no-such-program"] : ["sh", "-c", script]);
        await Gateway.HelloAsync();
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        await Gateway.SayAsync(Release(1));
        var message = await Gateway.NextAsync(m => m.State?.Phase == Phase.Exited);
        var exit = message.State.Exit;

        Assert.Equal((code, signal, notStarted), (exit.Code, exit.Signal, exit.NotStarted));
        Assert.InRange(exit.StartedUnixMs, before - 1, exit.EndedUnixMs);
        Assert.InRange(message.SentUnixMs, exit.EndedUnixMs, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        if (notStarted)
            Assert.Equal("command not found: no-such-program", exit.StderrTail);
    }

    [Fact]
    public async Task Restart_OfAWorkerThatHasJustDiedByItself_SaysItsEndFirst()
    {
        await RunAsync("echo $$ > $GANG_DIR/pid; while ! test -e $GANG_DIR/go; do sleep 0.01; done; exit 7");
        await Gateway.NextStateAsync(Phase.Running);
        var file = Path.Combine(GangDirectory, "pid");
        await UntilAsync(() => File.Exists(file) && File.ReadAllText(file).EndsWith('\n'), "the worker's pid");
        var pid = (await File.ReadAllTextAsync(file)).Trim();
        // Whoever else holds the progress socket makes the agent wait a little for last words: meanwhile the end is known to nobody.
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await other.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(GangDirectory, "progress.sock")));
        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");
        await UntilAsync(() => !Directory.Exists($"/proc/{pid}"), "the worker's end");

        await Gateway.SayAsync(Restart(2));

        var said = (await Gateway.NextAsync(m => m.State?.Phase is Phase.Exited or Phase.Waiting)).State;
        Assert.Equal((Phase.Exited, 1, 7), (said.Phase, said.Attempt, said.Exit?.Code));
        Assert.Equal(2, (await Gateway.NextStateAsync(Phase.Waiting)).Attempt);
    }

    [Theory]
    [InlineData("TERM", "trap 'exit 21' TERM", 21)]
    [InlineData("INT", "trap 'exit 22' INT", 22)]
    [InlineData("TERM", ":", 143)]
    public async Task Signal_ForTheAgent_ReachesTheWorkerAndItsEndIsReportedBeforeTheContainers(string signal, string trap, int code)
    {
        var agent = await RunAsync($"{trap}; echo 'step 1' >> $GANG_PROGRESS_FILE; while :; do sleep 0.05; done");
        await Gateway.NextAsync(m => m.Progress is not null);

        await agent.SignalAsync(signal);

        Assert.Equal(code, await agent.ExitAsync());
        Assert.Equal(code, (await Gateway.NextStateAsync(Phase.Exited)).Exit.Code);
        Assert.DoesNotContain(agent.Lines, l => l.Contains("closed the stream", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    public async Task Signal_WhileItWaits_EndsTheAgent(string signal, int code)
    {
        var agent = Start("true");
        await Gateway.HelloAsync();

        await agent.SignalAsync(signal);

        Assert.Equal(code, await agent.ExitAsync());
    }
}
