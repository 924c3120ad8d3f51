using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>The health check before a worker is kept: run at the barrier, and whoever fails gets another Pod elsewhere within the same recovery.</summary>
public sealed class FitnessCheckTests
{
    private static World Started(Func<RungBuilder, RungBuilder>? rule = null, int spares = 0, int timeout = 20, int fence = 5)
    {
        var spec = Gang.Create("llm")
            .AddRole("trainer", r => r.WithCount(4).WithSpares(spares).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")
                .WithHealthCheck(["check-gpu"], timeout: TimeSpan.FromSeconds(timeout)))
            .WithFence(TimeSpan.FromSeconds(fence)).WithHeartbeat(TimeSpan.FromSeconds(1))
            .WithPolicy(p => p.On(FailureKind.ApplicationError, r => (rule ?? (x => x.CheckHealth()))(r.Use(RecoveryStrategy.Hybrid)))).Build();
        return World.Running(spec);
    }

    private static DateTimeOffset Released(World world) =>
        world.Events.OfType<PhaseChanged>().Last(p => p is { Phase: GangPhase.Running, Attempt: 2 }).At;

    [Fact]
    public void Barrier_AllAreFit_OpensAfterTheChecksAndKeepsEveryPod()
    {
        var world = Started();
        var before = world.State.Workers.ToList();
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(before, world.State.Workers.ToList());
        Assert.Equal(4, world.Commands.Count);
        Assert.All(world.Commands, c => Assert.Equal(["check-gpu"], c.Run.Command.ToList()));
        Assert.True(Released(world) >= world.Commands.Max(c => c.At).AddMilliseconds(world.CommandMilliseconds));
    }

    [Theory]
    [InlineData(0, RecoveryStep.Recreate)]
    [InlineData(1, RecoveryStep.ReplaceWithSpare)]
    public void Barrier_OneIsUnfit_GetsAnotherPodElsewhereWithinTheRecovery(int spares, RecoveryStep step)
    {
        var world = Started(spares: spares);
        var bad = world.PodOf(2);
        bad.Faulty = true;
        world.Command = (pod, _) => pod == bad ? (1, "all well\nXid 79: GPU 3 has fallen off the bus\n") : (0, "");
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;
        Assert.Equal((FailureKind.ApplicationError, step), (plan.Cause!.Kind, plan.Steps[2].Step));
        var failure = Assert.Single(plan.Failures, f => f.Kind == FailureKind.HealthCheckFailed);
        Assert.Equal((new WorkerId("trainer", 2), "health command"), (failure.Worker, failure.SeenBy));
        Assert.Contains("exit code 1: Xid 79: GPU 3 has fallen off the bus", failure.Evidence, StringComparison.Ordinal);
        Assert.NotEqual(bad.Node, world.PodOf(2).Node);
        Assert.Contains(bad.Node!.Name, world.State.Quarantined.Keys);
        Assert.All([0, 1, 3], rank => Assert.Null(plan.Steps[rank].OldPod));
        // The one that came for it is new, and not asked.
        Assert.DoesNotContain(world.Commands, c => c.Run.Pod == world.State.Workers[2]);
    }

    [Fact]
    public void Barrier_RuleDoesNotAsk_NothingIsRun()
    {
        var world = Started(rule: r => r.Backoff(TimeSpan.FromSeconds(1)));
        world.Command = (_, _) => (1, "broken");
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Empty(world.Commands);
    }

    [Fact]
    public void Barrier_CommandCannotBeStarted_KeepsThePodsAndSaysSo()
    {
        var world = Started();
        var before = world.State.Workers.ToList();
        world.Command = (_, _) => (-1, "check-gpu: no such file");
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(before, world.State.Workers.ToList());
        Assert.Contains(world.Events, e => e is GangNotice { Text: var text } && text.Contains("could not be started", StringComparison.Ordinal));
    }

    [Fact]
    public void Barrier_AgentNeverAnswers_IsTakenForUnfitAfterTheTimeout()
    {
        var world = Started();
        var mute = world.PodOf(0);
        for (var rank = 0; rank < 4; rank++) world.PodOf(rank).Faulty = true;
        world.CommandMilliseconds = 60_000;
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(29));
        Assert.Equal((Stage.Barrier, 2), (world.State.Stage, world.State.Attempt));
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.NotEqual(mute.Name, world.State.Workers[0]);
        Assert.Contains(world.Events, e => e is FailureDetected { Failure: { Kind: FailureKind.HealthCheckFailed, Evidence: var why } } && why.Contains("did not say", StringComparison.Ordinal));
    }

    [Fact]
    public void Barrier_StreamIsAwayForLongDuringTheCheck_ItsTimeBeginsAnew()
    {
        var world = Started(timeout: 1, fence: 60);
        var kept = world.State.Workers.ToList();
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromMilliseconds(1000));
        var cut = world.PodOf(0);
        Assert.Contains(world.Commands, c => c.Run.Pod == cut.Name);
        cut.Faulty = true;
        world.Disconnect(cut);
        // Longer than the check has to answer, shorter than what makes a silent agent lost.
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        world.Connect(cut);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(kept, world.State.Workers.ToList());
    }

    [Fact]
    public void Barrier_SupervisorDiesDuringTheChecks_EachIsRunOnce()
    {
        var world = Started();
        var runs = 0;
        world.Command = (_, _) => (runs++ * 0, "");
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromMilliseconds(1500));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        world.CrashSupervisor(500);
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(4, runs);
    }
}
