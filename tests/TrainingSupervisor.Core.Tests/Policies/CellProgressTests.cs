using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>What pays back the recoveries of a cell: its own steps, and not those of the cells that train on beside it.</summary>
public sealed class CellProgressTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Soon = TimeSpan.FromSeconds(10);

    private static World Started(Action<PolicyBuilder> policy, int cells = 2) => World.Running(
        Gang.Create("llm").AddRole("trainer", r => r.WithCount(6).WithCells(cells).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1)).WithPolicy(policy).Build());

    /// <summary>Each time the worker of this rank gets so far from its checkpoint and crashes, while the others do a thousand steps.</summary>
    private static void CrashLoop(World world, int times, Func<int, long> step, bool takeovers = false)
    {
        var before = world.State.Recoveries.Length;
        for (var i = before; i < before + times; i++)
        {
            // Another supervisor knows of the cell what the record says.
            if (takeovers) world.CrashSupervisor(500);
            if (takeovers) world.Run(Soon);
            foreach (var other in new[] { 0, 1, 4, 5 }) world.Progress(world.PodOf(other), 1000 * (i + 1));
            world.Progress(world.PodOf(3), step(i));
            world.Run(Soon);
            world.Exit(world.PodOf(3), 7);
            world.Run(Soon);
        }
    }

    private static TimeSpan[] Waits(World world) => [.. world.Events.OfType<RecoveryPlanned>().Select(e => e.Plan.NotBefore - e.Plan.Decided)];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_CellCrashesEveryFewStepsWhileOthersGoOn_WaitsLongerEachTimeAndFailsTheGang(bool takeovers)
    {
        var world = Started(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(3, Hour, paidBackAfter: 10).WithBackoff(TimeSpan.FromSeconds(1)));
        CrashLoop(world, 3, i => 102 - (i % 3), takeovers);
        Assert.Equal((GangPhase.Running, Stage.Running), (world.State.Phase, world.State.Stage));
        Assert.Equal([0, 1, 2], Waits(world).Select(w => w.TotalSeconds));
        Assert.Equal([102, 102, 102], world.State.Recoveries.Select(e => e.BestStep));
        Assert.All(world.State.Recoveries, e => Assert.Equal("trainer/1", e.Cell));

        CrashLoop(world, 1, i => 101, takeovers);
        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("the budget of 3 recoveries", world.State.Outcome, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_CellGetsOn_IsPaidBack(bool takeovers)
    {
        var world = Started(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(1, Hour, paidBackAfter: 10).WithBackoff(TimeSpan.FromSeconds(1)));
        CrashLoop(world, 4, i => 100 + (10 * i), takeovers);
        Assert.Equal((GangPhase.Running, Stage.Running, 5), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.All(Waits(world), w => Assert.Equal(TimeSpan.Zero, w));
    }

    [Fact]
    public void Step_CellCrashesEveryFewSteps_ReachesTheRungThatFailsTheGang()
    {
        var world = Started(p => p.OnAny(r => r.Use(RecoveryStrategy.RestartCell).Then(RecoveryStrategy.FailGang, after: 2, within: Hour)));
        CrashLoop(world, 3, _ => 100);
        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("rung 2 of 2", world.State.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_TwoCellsFailInTurn_EachIsPaidBackByItself()
    {
        var world = Started(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(2, Hour, paidBackAfter: 10));
        void Fail(int rank, long step)
        {
            world.Progress(world.PodOf(rank), step);
            world.Run(Soon);
            world.Exit(world.PodOf(rank), 7);
            world.Run(Soon);
        }

        Fail(3, 100);
        Fail(0, 5000);
        world.Progress(world.PodOf(1), 5010);
        // Cell 0 is beyond, and cell 1 where it was: of two that count, each of these is the second.
        Fail(4, 7000);
        world.Progress(world.PodOf(5), 7010);
        Fail(4, 7010);
        Assert.Equal((GangPhase.Running, Stage.Running), (world.State.Phase, world.State.Stage));
        Fail(3, 109);
        Assert.Equal(GangPhase.Failed, world.State.Phase);
    }

    [Fact]
    public void Step_LikelierCauseOfAnotherCellJoins_CountsFromThatCellsStep()
    {
        var world = Started(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(5, Hour));
        world.Progress(world.PodOf(3), 100);
        world.Progress(world.PodOf(0), 700);
        world.Run(Soon);
        world.Exit(world.PodOf(3), 7);
        world.Run(TimeSpan.FromMilliseconds(120));
        Assert.Equal(("trainer/1", 100), (world.State.Recoveries[^1].Cell, world.State.Recoveries[^1].BestStep));
        world.Report(new Failure(FailureKind.OutOfMemory, "OOMKilled", world.Now) { Worker = new WorkerId("trainer", 0), Pod = world.PodOf(0).Name });
        world.Run(Soon);
        Assert.Equal(("trainer/0", 700), (Assert.Single(world.State.Recoveries).Cell, world.State.Recoveries[^1].BestStep));
    }

    [Fact]
    public void Step_FailureThatNamesNoWorker_IsPaidBackByAnyProgress()
    {
        var world = Started(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(1, Hour, paidBackAfter: 10));
        world.Progress(world.PodOf(5), 50);
        world.Report(new Failure(FailureKind.Hang, "no step anywhere", world.Now));
        world.Run(Soon);
        Assert.Equal((null, 50), (Assert.Single(world.State.Recoveries).Cell, world.State.Recoveries[0].BestStep));
        CrashLoop(world, 1, _ => 10);
        Assert.Equal(GangPhase.Running, world.State.Phase);
    }
}
