using System.Diagnostics;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

public sealed class ProcessTreeTests : AgentTest
{
    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public async Task Restart_WithGrandchildrenOfEverySort_LeavesNoneOfThem(int grace)
    {
        var pids = Path.Combine(Root, "pids");
        await RunAsync($$"""
            note() { echo $1 >> {{pids}}; }
            setsid sh -c 'echo $$ >> {{pids}}; sleep 61 & echo $! >> {{pids}}; wait' &
            (setsid sleep 62 & note $!)
            sh -c 'trap "" TERM HUP INT; echo $$ >> {{pids}}; while :; do sleep 0.1; done' &
            sleep 63 & note $!; kill -STOP $!
            trap '' TERM
            while test $(wc -l < {{pids}}) -lt 5; do sleep 0.02; done
            echo 'step 1' >> $GANG_PROGRESS_FILE
            while :; do sleep 0.1; done
            """);
        await Gateway.NextAsync(m => m.Progress is not null);
        var all = await File.ReadAllLinesAsync(pids);
        Assert.Equal(5, all.Length);
        Assert.All(all, pid => Assert.True(Lives(pid)));

        await Gateway.SayAsync(Restart(2, grace: grace));
        await Gateway.NextStateAsync(Phase.Waiting);

        Assert.All(all, pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    [Fact]
    public async Task Restart_OfAWorkerThatEndsOnTerm_WaitsForItsGrace()
    {
        await RunAsync("trap 'echo checkpoint 4 >> $GANG_PROGRESS_FILE; exit 0' TERM; echo 'step 1' >> $GANG_PROGRESS_FILE; while :; do sleep 0.05; done");
        await Gateway.NextAsync(m => m.Progress is not null);

        await Gateway.SayAsync(Restart(2, grace: 20_000));

        Assert.Equal(4, (await Gateway.NextAsync(m => m.Progress?.Checkpoint == 4)).Progress.Checkpoint);
        await Gateway.NextStateAsync(Phase.Waiting);
    }

    [Fact]
    public async Task Exit_WithAGrandchildThatHoldsStderr_IsReportedAtOnce()
    {
        await RunAsync("(trap '' TERM HUP; setsid sleep 600) & echo gone >&2; exit 3");

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.Equal((3, "gone\n"), (exit.Code, exit.StderrTail));
    }

    [Fact]
    public async Task Stderr_ClosedByAWorkerThatLivesOn_IsNoEnd()
    {
        await RunAsync("echo before >&2; exec 2>&-; echo 'step 2' >> $GANG_PROGRESS_FILE; while ! test -e $GANG_DIR/go; do sleep 0.02; done; exit 4");
        Assert.Equal(2, (await Gateway.NextAsync(m => m.Progress is not null)).Progress.Step);
        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.Equal((4, "before\n"), (exit.Code, exit.StderrTail));
    }

    [Fact]
    public async Task Stderr_OfRubbish_IsBoundedText()
    {
        await RunAsync("head -c 300000 /dev/urandom >&2; printf 'the end \\360\\237\\230' >&2; exit 1");

        var tail = (await Gateway.NextStateAsync(Phase.Exited)).Exit.StderrTail;

        Assert.Contains("the end", tail, StringComparison.Ordinal);
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(tail), 1000, 4096);
    }

    [NamespaceFact]
    public async Task ProcessOne_InItsOwnNamespace_ReapsWhatItInherits()
    {
        // Orphans come to process 1: some end by themselves, some have to be ended.
        const string Script = "(sh -c 'sleep 0.1' &) ; (sh -c 'exit 3' &) ; (setsid sleep 600 &) ; sleep 0.3; echo \"step $(ps -e -o stat= | grep -c Z)\" >> $GANG_PROGRESS_FILE; exit 6";
        var agent = Start(["sh", "-c", Script], null, ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));

        Assert.Equal(0, (await Gateway.NextAsync(m => m.Progress is not null)).Progress.Step);
        Assert.Equal(6, (await Gateway.NextStateAsync(Phase.Exited)).Exit.Code);
        await Gateway.SayAsync(Halt(9));
        Assert.Equal(9, await agent.ExitAsync());
    }
}

/// <summary>Only where a process namespace may be made; says so where it may not.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NamespaceFactAttribute : FactAttribute
{
    public NamespaceFactAttribute()
    {
        if (!Works()) Skip = "needs the right to make a process namespace (unshare)";
    }

    private static bool Works()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("unshare", ["--pid", "--fork", "--mount-proc", "--kill-child", "ps"])
            {
                RedirectStandardError = true, RedirectStandardOutput = true,
            })!;
            return process.WaitForExit(10_000) && process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
