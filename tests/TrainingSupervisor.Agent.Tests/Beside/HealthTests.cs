using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;
using UnhealthyBy = TrainingSupervisor.Protocol.Progress.Types.UnhealthyBy;

namespace TrainingSupervisor.Agent.Tests.Beside;

/// <summary>Health command and failure patterns of a welcome, by the program itself.</summary>
public sealed class HealthTests : AgentTest
{
    [Fact]
    public async Task HealthCommand_ThatFailsAndThenDoesNot_IsSaidAndTakenBack()
    {
        var sick = Path.Combine(Root, "sick");
        Gateway.Welcoming = w => w.HealthCheck = Check(50, 2, "sh", "-c", $"kill -0 $GANG_WORKER_PID || exit 9; test -e {sick} && echo 'ECC error' && exit 5; exit 0");
        await RunAsync($"touch {sick}; exec sleep 600");

        var said = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;

        Assert.Equal((1, -1L, UnhealthyBy.HealthCommand), (said.Attempt, said.Step, said.UnhealthyBy));
        Assert.EndsWith("has failed 2 times in a row, last with exit code 5: ECC error", said.Unhealthy, StringComparison.Ordinal);
        File.Delete(sick);
        Assert.Equal("", (await Gateway.NextAsync(m => m.Progress is not null)).Progress.Unhealthy);
    }

    [Fact]
    public async Task HealthCommand_OfAWorkerThatEnds_SaysNothingAndRunsNoMore()
    {
        // It runs until it is killed with the worker's tree: that is no failure.
        var runs = Path.Combine(Root, "runs");
        Gateway.Welcoming = w => w.HealthCheck = Check(10, 1, "sh", "-c", $"echo run >> {runs}; exec sleep 600");
        await RunAsync($"while ! test -e {runs}; do sleep 0.02; done; echo 'step 1' >> $GANG_PROGRESS_FILE; exit 4");

        var messages = new List<AgentMessage>();
        var exited = await Gateway.NextAsync(m =>
        {
            messages.Add(m);
            return m.State?.Phase == Phase.Exited;
        });

        Assert.Equal(4, exited.State.Exit.Code);
        Assert.All(messages.Where(m => m.Progress is not null), m => Assert.Equal("", m.Progress.Unhealthy));
        await Gateway.SayAsync(Restart(2));
        await Gateway.NextStateAsync(Phase.Waiting);
        Assert.Equal("run\n", await File.ReadAllTextAsync(runs));
    }

    [Fact]
    public async Task FailurePattern_OnALineOfStderr_IsSaidOnceAndIsOverWithTheAttempt()
    {
        Gateway.Welcoming = w => w.FailurePatterns.Add(["Xid \\d+", "NCCL.*timeout"]);
        var agent = await RunAsync("""
            echo 'NCCL INFO fine' >&2; echo 'Xid: none' >&2; echo 'NCCL timeout on stdout'
            echo 'step 7' >> $GANG_PROGRESS_FILE
            while ! test -e $GANG_DIR/go; do sleep 0.02; done
            test $GANG_ATTEMPT = 1 && echo 'NCCL WARN: timeout' >&2
            test $GANG_ATTEMPT = 2 && echo 'step 8' >> $GANG_PROGRESS_FILE
            exec sleep 600
            """);
        var before = (await Gateway.NextAsync(m => m.Progress?.Step == 7)).Progress;
        Assert.Equal("", before.Unhealthy);

        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");

        var said = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;
        Assert.Equal(("NCCL WARN: timeout (failure pattern 'NCCL.*timeout')", UnhealthyBy.LogPattern, 7L), (said.Unhealthy, said.UnhealthyBy, said.Step));
        Assert.DoesNotContain(agent.Lines, l => l.Contains("Xid \\d+", StringComparison.Ordinal));
        await Gateway.SayAsync(Restart(2));
        await Gateway.NextStateAsync(Phase.Waiting);
        await Gateway.SayAsync(Release(2));
        var next = (await Gateway.NextAsync(m => m.Progress?.Step == 8)).Progress;
        Assert.Equal((2, ""), (next.Attempt, next.Unhealthy));
    }

    [Fact]
    public async Task FailurePattern_AfterAnother_IsSaidBesideItAndBesideTheHealthCommand()
    {
        Gateway.Welcoming = w =>
        {
            w.FailurePatterns.Add(["NCCL WARN", "CUDA error"]);
            w.HealthCheck = Check(50, 1, "sh", "-c", "test -e $GANG_DIR/sick && exit 5; exit 0");
        };
        await RunAsync("""
            echo 'NCCL WARN slow' >&2
            while ! test -e $GANG_DIR/go; do sleep 0.02; done
            echo 'NCCL WARN slower' >&2; echo 'CUDA error' >&2
            exec sleep 600
            """);
        var first = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;
        Assert.Equal(("NCCL WARN slow (failure pattern 'NCCL WARN')", 0), (first.Unhealthy, first.Others.Count));

        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");
        var second = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;
        Assert.Equal((first.Unhealthy, UnhealthyBy.LogPattern), (second.Unhealthy, second.UnhealthyBy));
        Assert.Equal(("CUDA error (failure pattern 'CUDA error')", UnhealthyBy.LogPattern), (Assert.Single(second.Others).Words, second.Others[0].By));

        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "sick"), "");
        var third = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;
        Assert.Equal([UnhealthyBy.LogPattern, UnhealthyBy.HealthCommand], third.Others.Select(o => o.By));
    }

    [Fact]
    public async Task OwnStepTime_OverTheWire_IsTheWorkers()
    {
        await RunAsync("echo 'step 3 0.25' >> $GANG_PROGRESS_FILE; exec sleep 600");

        var said = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;

        Assert.Equal((3L, true, 0.25), (said.Step, said.HasOwnSeconds, said.OwnSeconds));
    }

    private static HealthCheck Check(int interval, int failures, params string[] command) =>
        new() { Command = { command }, IntervalMs = interval, TimeoutMs = 60_000, Failures = failures };
}
