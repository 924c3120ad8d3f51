using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests.Beside;

/// <summary>Commands that the supervisor has the agent run beside the worker.</summary>
public sealed class RunCommandTests : AgentTest
{
    [Fact]
    public async Task Run_BesideARunningWorker_HasItsEnvironmentAndItsPid()
    {
        await RunAsync("echo $$ > $GANG_DIR/pid; echo 'step 1' >> $GANG_PROGRESS_FILE; exec sleep 600");
        await Gateway.NextAsync(m => m.Progress is not null);

        await Gateway.SayAsync(Run("x", "echo \"$RANK $GANG_ATTEMPT $GANG_WORKER_PID ${GANG_AGENT_SECRET_DIR-none}\"; echo input: $(cat); echo problem >&2; exit 3"));

        var result = await ResultAsync("x");
        var pid = (await File.ReadAllTextAsync(Path.Combine(GangDirectory, "pid"))).Trim();
        Assert.Equal((3, false, $"1 1 {pid} none\ninput:\nproblem\n"), (result.ExitCode, result.TimedOut, result.Output));
    }

    [Fact]
    public async Task Run_WithoutAWorker_RunsWithoutItsVariables()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();

        await Gateway.SayAsync(Run("x", "echo \"${GANG_WORKER_PID-none} ${RANK-none} ${GANG_AGENT_SECRET_DIR-none}\"; kill -SEGV $$"));

        var result = await ResultAsync("x");
        Assert.Equal((139, "none none none\n"), (result.ExitCode, result.Output));
    }

    [Fact]
    public async Task Run_ThatDoesNotEndInTime_IsKilledWithAllThatItStarted()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();
        var pids = Path.Combine(Root, "pids");

        await Gateway.SayAsync(Run("x", $"trap '' TERM; echo $$ >> {pids}; sleep 601 & echo $! >> {pids}; echo so far; wait", timeout: 700));

        var result = await ResultAsync("x");
        Assert.Equal((137, true, "so far\n"), (result.ExitCode, result.TimedOut, result.Output));
        await AllGoneAsync(pids, 2);
    }

    [Fact]
    public async Task Run_ThatLeavesSomethingBehind_IsOverWhenItsOwnProcessIs()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();
        var pids = Path.Combine(Root, "pids");

        await Gateway.SayAsync(Run("x", $"sleep 602 & echo $! >> {pids}; echo done"));

        Assert.Equal((0, "done\n"), await ResultAsync("x") is var r ? (r.ExitCode, r.Output) : default);
        await AllGoneAsync(pids, 1);
    }

    [Fact]
    public async Task Run_OfNoProgram_SaysWhy()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();

        await Gateway.SayAsync(new SupervisorMessage { Term = 1, PodUid = "uid", RunCommand = new RunCommand { Id = "x", Argv = { "no-such-tool" }, TimeoutMs = 1000 } });

        Assert.Equal((-1, "command not found: no-such-tool"), await ResultAsync("x") is var r ? (r.ExitCode, r.Output) : default);
    }

    [Fact]
    public async Task Run_WithMoreOutputThanIsKept_GivesTheLastOfIt()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();

        await Gateway.SayAsync(Run("x", "i=0; while test $i -lt 5000; do i=$((i+1)); echo \"line $i\"; done"));

        var output = (await ResultAsync("x")).Output;
        Assert.EndsWith("line 4999\nline 5000\n", output, StringComparison.Ordinal);
        Assert.InRange(output.Length, 16_000, 16_384);
    }

    [Fact]
    public async Task Run_OverABrokenStream_IsAnsweredWhenItIsAskedForAgain()
    {
        Start("sleep", "600");
        await Gateway.HelloAsync();
        var (runs, go) = (Path.Combine(Root, "runs"), Path.Combine(Root, "go"));
        await Gateway.SayAsync(Run("x", $"echo run >> {runs}; while ! test -e {go}; do sleep 0.02; done; echo result; echo end >> {runs}"));
        await UntilAsync(() => File.Exists(runs), "the command");

        await Gateway.CloseAsync();
        await File.WriteAllTextAsync(go, "");
        await UntilAsync(() => File.ReadAllText(runs) == "run\nend\n", "its end");
        Gateway.Open = true;
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Run("x", "echo another"));

        Assert.Equal("result\n", (await ResultAsync("x")).Output);
        Assert.Equal("run\nend\n", await File.ReadAllTextAsync(runs));
    }

    [Theory]
    [InlineData("restart")]
    [InlineData("exit")]
    public async Task Run_WhenTheWorkersTreeIsEnded_IsEndedWithItAndDelaysNothing(string how)
    {
        var pids = Path.Combine(Root, "pids");
        await RunAsync($"while ! test -e {pids}; do sleep 0.02; done; {(how == "exit" ? "exit 0" : "exec sleep 600")}");
        await Gateway.SayAsync(Run("x", $"trap '' TERM; sleep 603 & printf '%s\\n%s\\n' $$ $! > {pids}.new; mv {pids}.new {pids}; wait"));
        await UntilAsync(() => File.Exists(pids), "the command");
        var all = await File.ReadAllLinesAsync(pids);

        if (how == "restart")
            await Gateway.SayAsync(Restart(2, grace: 600_000));

        var state = await Gateway.NextAsync(m => m.State is { Attempt: > 0 } s && s.Phase == (how == "exit" ? Phase.Exited : Phase.Waiting));
        Assert.All(all, pid => Assert.False(Lives(pid)));
        if (how == "exit")
            Assert.Equal(0, state.State.Exit.Code);
        await Gateway.SayAsync(Run("x", "true"));
        Assert.Equal((137, false), await ResultAsync("x") is var r ? (r.ExitCode, r.TimedOut) : default);
    }

    [Fact]
    public async Task Run_WhenTheAgentLeaves_IsEndedFirst()
    {
        var agent = Start("sleep", "600");
        await Gateway.HelloAsync();
        var pids = Path.Combine(Root, "pids");
        await Gateway.SayAsync(Run("x", $"trap '' TERM; echo $$ > {pids}; sleep 604 & echo $! >> {pids}; wait"));
        await UntilAsync(() => File.Exists(pids) && File.ReadAllLines(pids).Length == 2, "the command");

        await Gateway.SayAsync(Halt(7));

        Assert.Equal(7, await agent.ExitAsync());
        await AllGoneAsync(pids, 2);
    }

    private async Task<CommandResult> ResultAsync(string id) => (await Gateway.NextAsync(m => m.CommandResult?.Id == id)).CommandResult;

    private static async Task AllGoneAsync(string file, int count)
    {
        var pids = await File.ReadAllLinesAsync(file);
        Assert.Equal(count, pids.Length);
        await UntilAsync(() => !pids.Any(Lives), "their end");
    }
}
