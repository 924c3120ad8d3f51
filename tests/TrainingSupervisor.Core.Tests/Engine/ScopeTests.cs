using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Cells, and gangs that shrink and grow back.</summary>
public sealed class ScopeTests
{
    private static World Started(Action<RoleBuilder> role, Action<GangBuilder>? more = null, int nodes = 6, int workers = 6, int seed = 1)
    {
        var builder = Gang.Create("llm").AddRole("trainer", r =>
            {
                r.WithCount(workers).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent");
                role(r);
            })
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1));
        more?.Invoke(builder);
        return World.Running(builder.Build(), nodes, seed);
    }

    private static int[] Attempts(World world) => [.. Enumerable.Range(0, world.State.Workers.Length).Select(r => world.PodOf(r).Attempt)];

    [Fact]
    public void Step_RestartCell_OtherCellsRunOn()
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)));
        world.Exit(world.PodOf(3), 7);
        world.Run(TimeSpan.FromSeconds(5));
        Assert.Equal([1, 1, 2, 2, 1, 1], Attempts(world));
        Assert.Equal(2, world.Restarts);
        Assert.Equal("trainer/1", world.Events.OfType<RecoveryPlanned>().Last().Plan.Scope);

        world.Exit(world.PodOf(0), 7);
        world.Run(TimeSpan.FromSeconds(5));
        Assert.Equal([3, 3, 2, 2, 1, 1], Attempts(world));
        Assert.Equal(Stage.Running, world.State.Stage);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_WorkerOfACellMoves_TheOtherCellsAreToldWhereAndRunOn(bool supervisorDies)
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)), nodes: 8);
        var others = new[] { world.PodOf(0), world.PodOf(1), world.PodOf(4), world.PodOf(5) };
        world.KillContainer(world.PodOf(3));
        if (supervisorDies) world.CrashSupervisor(1000);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal(Stage.Running, world.State.Stage);
        Assert.Equal([1, 1, 2, 2, 1, 1], Attempts(world));
        Assert.All(others, p => Assert.Equal(2, p.RosterAttempt));
    }

    [Fact]
    public void Step_CellRestartsInPlace_TheOthersAreNotBothered()
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)));
        world.Exit(world.PodOf(3), 7);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal([1, 1, 2, 2, 1, 1], Enumerable.Range(0, 6).Select(r => world.PodOf(r).RosterAttempt));
    }

    [Fact]
    public void Step_SupervisorDiesAfterACellRestarted_NobodyIsRestarted()
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)));
        world.Exit(world.PodOf(3), 7);
        world.Run(TimeSpan.FromSeconds(5));
        var restarts = world.Restarts;
        world.CrashSupervisor(1000);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, restarts), (world.State.Stage, world.Restarts));
        Assert.Equal([1, 1, 2, 2, 1, 1], Attempts(world));
        world.Exit(world.PodOf(4), 7);
        world.Run(TimeSpan.FromSeconds(5));
        Assert.Equal([1, 1, 2, 2, 3, 3], Attempts(world));
    }

    [Fact]
    public void Step_SecondCellFailsWhileOneRestarts_JoinsTheRecovery()
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)));
        world.Exit(world.PodOf(3), 7);
        world.Run(TimeSpan.FromMilliseconds(120));
        world.Exit(world.PodOf(0), 7);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal(Stage.Running, world.State.Stage);
        var attempts = Attempts(world);
        Assert.Equal([1, 1], attempts[4..]);
        Assert.All(attempts[..4], a => Assert.True(a > 1));
    }

    [Fact]
    public void Step_NoReplacementByTheDeadline_ShrinksToAMultipleAndGrowsBackOnRequest()
    {
        var world = Started(r => r.WithMinWorkers(2, multipleOf: 2, TimeSpan.FromSeconds(20)));
        var lost = world.PodOf(1).Node!;
        world.Kill(lost);
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((GangPhase.Running, Stage.Running, 4), (world.State.Phase, world.State.Stage, world.State.Workers.Length));
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 4).Select(r => world.PodOf(r).Rank));
        Assert.All(Attempts(world), a => Assert.Equal(world.State.Attempt, a));

        world.CrashSupervisor(500);
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Equal((Stage.Running, 4), (world.State.Stage, world.State.Workers.Length));

        world.Tell(new GrowRequested());
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(4, world.State.Workers.Length);
        world.CrashSupervisor(500);
        world.Run(TimeSpan.FromSeconds(10));
        world.Add("node-new");
        world.Run(TimeSpan.FromSeconds(30));
        Assert.Equal((GangPhase.Running, Stage.Running, 6), (world.State.Phase, world.State.Stage, world.State.Workers.Length));
        Assert.Equal(Enumerable.Range(0, 6), Enumerable.Range(0, 6).Select(r => world.PodOf(r).Rank));
    }

    [Fact]
    public void Step_FewerThanTheLeast_DoesNotShrink()
    {
        var world = Started(r => r.WithMinWorkers(5, multipleOf: 1, TimeSpan.FromSeconds(20)));
        world.Kill(world.PodOf(1).Node!);
        world.Kill(world.PodOf(2).Node!);
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((Stage.Barrier, 6), (world.State.Stage, world.State.Workers.Length));
    }

    [Fact]
    public void Step_ReplacementComesInTime_DoesNotShrink()
    {
        var world = Started(r => r.WithMinWorkers(2, multipleOf: 2, TimeSpan.FromSeconds(20)), nodes: 7);
        world.Kill(world.PodOf(1).Node!);
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((Stage.Running, 6), (world.State.Stage, world.State.Workers.Length));
    }

    [Fact]
    public void Step_ShrunkGangRecovers_GrowsBackWithTheSparesThatWait()
    {
        var world = Started(r => r.WithMinWorkers(2, multipleOf: 2, TimeSpan.FromSeconds(20)));
        world.Kill(world.PodOf(1).Node!);
        world.Run(TimeSpan.FromSeconds(60));
        Assert.Equal(4, world.State.Workers.Length);
        world.CrashSupervisor(500);
        world.Run(TimeSpan.FromSeconds(10));
        world.Add("node-new");
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(4, world.State.Workers.Length);
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 6), (world.State.Stage, world.State.Workers.Length));
    }

    [Fact]
    public void Step_PolicyShrinksAtOnce_NobodyIsWaitedFor()
    {
        var world = Started(r => r.WithMinWorkers(2), g => g.WithPolicy(p => p.On(FailureKind.ApplicationError, RecoveryStrategy.ShrinkGang)));
        world.Exit(world.PodOf(5), 9);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal((Stage.Running, 2, 5), (world.State.Stage, world.State.Attempt, world.State.Workers.Length));
    }

    [Fact]
    public void Step_SecondWorkerIsLostWhileTheGangShrinks_WhoeverGivesUpItsPlaceIsASpare()
    {
        var world = Started(r => r.WithMinWorkers(2, multipleOf: 2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.ShrinkGang)), nodes: 8, workers: 8);
        world.KillContainer(world.PodOf(1));
        world.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal((Stage.Barrier, 6), (world.State.Stage, world.State.Workers.Length));
        world.KillContainer(world.PodOf(2));
        // The world lets no healthy Pod be deleted.
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((Stage.Running, 2, 4), (world.State.Stage, world.State.Attempt, world.State.Workers.Length));
        Assert.Equal(2, world.State.Pods.Values.Count(p => p is { Idle: true, Doomed: false, Connected: true }));
    }

    [Fact]
    public void Step_CellFailsWhenAnotherIsDoneAndItsPodsAreGone_TheOtherStaysDone()
    {
        var world = Started(r => r.WithCells(2), g => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell)), nodes: 8);
        for (var rank = 2; rank < 4; rank++) world.Exit(world.PodOf(rank), 0);
        world.Run(TimeSpan.FromSeconds(3));
        world.DeleteByOthers(world.PodOf(2));
        world.Run(TimeSpan.FromSeconds(5));
        var ordered = world.Ordered.Count;
        world.Exit(world.PodOf(0), 7);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2, ordered), (world.State.Stage, world.State.Attempt, world.Ordered.Count));
        Assert.Equal([2, 2, 1, 1, 1, 1], world.State.Workers.Select(n => world.State.Pods[n].Target));
        foreach (var rank in new[] { 0, 1, 4, 5 }) world.Exit(world.PodOf(rank), 0);
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(GangPhase.Succeeded, world.State.Phase);
    }
}
