using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Recovery;

/// <summary>What recoveries cost is learned, decides between steps that are equally safe, and is told beside the truth.</summary>
public sealed class CostTests
{
    private static World Started(int spares = 0, Action<GangBuilder>? more = null) => World.Running(Specs.Gang(4, spares, more).Build(), 10);

    private static void Train(World world, long from, long to, TimeSpan step)
    {
        for (var s = from; s <= to; s++)
        {
            world.Run(step);
            for (var rank = 0; rank < 4; rank++) world.Progress(world.PodOf(rank), s);
        }

        world.Run(TimeSpan.FromMilliseconds(1));
    }

    private static void Saved(World world, long step)
    {
        var pod = world.PodOf(0);
        world.Tell(new ProgressSeen(pod.Name, pod.Uid, new ProgressObservation(pod.Attempt, step, Checkpoint: step, "", "")));
        world.Run(TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void Recovery_BeginsAtACheckpoint_SaysWhatItCostBesideWhatWasExpected()
    {
        var world = Started();
        Train(world, 1, 10, TimeSpan.FromSeconds(2));
        Saved(world, 10);
        Train(world, 11, 13, TimeSpan.FromSeconds(2));
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));
        Train(world, 11, 12, TimeSpan.FromSeconds(2));
        var first = world.Events.OfType<RecoveryCompleted>().Last();
        Train(world, 13, 14, TimeSpan.FromSeconds(2));
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));
        Train(world, 15, 15, TimeSpan.FromSeconds(2));
        var second = world.Events.OfType<RecoveryCompleted>().Last();

        Assert.Equal(3, first.Timing.StepsRepeated);
        Assert.InRange(first.Timing.WorkRepeated!.Value, TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(6.01));
        Assert.InRange(first.Plan.Estimate!.LostWork, TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(6.2));
        Assert.False(first.Plan.Estimate.Learned);
        Assert.Matches(@"^restart [\d.]+ s \(expected 2 s, a first guess\); 3 steps again, 6 s \(expected 6[.\d]* s\)$", first.Cost);
        // What the first one took is what the second is expected to take.
        Assert.True(second.Plan.Estimate!.Learned);
        Assert.Equal(first.Timing.Restart!.Value, second.Plan.Estimate.Restart);
        Assert.Equal(0, second.Timing.StepsRepeated);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(30, 4)]
    public void Plan_SavingFirstIsSlowerThanTheStepsSinceTheLastCheckpoint_IsNotAsked(int age, int asked)
    {
        var world = Started(more: g => g.WithQuiesce(TimeSpan.FromSeconds(20)));
        world.SaveMilliseconds = 5000;
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.NotEmpty(world.Quiesced);
        world.Quiesced.Clear();
        Saved(world, 10);
        world.Run(TimeSpan.FromSeconds(age));
        world.Report(new Failure(FailureKind.HealthCheckFailed, "as someone says", world.Now) { Worker = new WorkerId("trainer", 1), Pod = world.State.Workers[1] });
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 3), (world.State.Stage, world.State.Attempt));
        Assert.Equal(asked, world.Quiesced.Count);
        var text = world.Events.OfType<RecoveryPlanned>().Last().Plan.ToText();
        Assert.Equal(asked == 0, text.Contains("so young that saving first", StringComparison.Ordinal));
    }

    [Fact]
    public void Plan_NodeAboutToGo_WorkersSaveHoweverYoungTheCheckpoint()
    {
        var world = Started(spares: 1, more: g => g.WithQuiesce(TimeSpan.FromSeconds(20)));
        world.SaveMilliseconds = 5000;
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(20));
        world.Quiesced.Clear();
        Saved(world, 10);
        world.Change(world.PodOf(2).Node!, n => n.Conditions = [new NodeCondition("PreemptScheduled", "Why", "")]);
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 3), (world.State.Stage, world.State.Attempt));
        Assert.Equal(4, world.Quiesced.Count);
    }

    [Fact]
    public void Plan_NewPodsAreQuickerThanSparesHere_TakesANewPod()
    {
        var world = Started(spares: 1);
        var costs = new StepCosts { ReplaceWithSpare = TimeSpan.FromSeconds(9), Recreate = TimeSpan.FromSeconds(3) };
        var failure = new Failure(FailureKind.NodeUnhealthy, "as someone says", world.Now)
        {
            Worker = new WorkerId("trainer", 1), Pod = world.State.Workers[1], Node = world.PodOf(1).Node!.Name,
        };

        Assert.Equal(RecoveryStep.ReplaceWithSpare, GangMachine.Explain(world.State, failure, world.Now).Steps[1].Step);
        Assert.Equal(RecoveryStep.Recreate, GangMachine.Explain(world.State with { Costs = costs }, failure, world.Now).Steps[1].Step);
    }

    [Fact]
    public void Estimate_PlanGrowsWithinItsRecovery_CountsFromTheFirstCommand()
    {
        var world = Started(spares: 1, more: g => g.WithFence(TimeSpan.FromSeconds(15)));
        var dead = world.PodOf(1).Node!;
        world.Kill(dead);
        world.Exit(world.PodOf(2), 13);
        world.Run(TimeSpan.FromSeconds(40));
        var plans = world.Events.OfType<RecoveryPlanned>().Where(p => p.Plan.Attempt == 2).Select(p => p.Plan).ToList();

        Assert.Equal((FailureKind.ApplicationError, FailureKind.NodeLost), (plans[0].Cause!.Kind, plans[^1].Cause!.Kind));
        Assert.Equal(TimeSpan.FromSeconds(2), plans[0].Estimate!.Restart);
        Assert.InRange(plans[^1].Estimate!.Restart - world.State.Timing!.Restart!.Value, TimeSpan.FromSeconds(-1.5), TimeSpan.FromSeconds(1.5));
        Assert.Equal(plans[0].Estimate!.LostWork, plans[^1].Estimate!.LostWork);
    }

    [Fact]
    public void Estimate_GangHangs_CountsOnlyWhatWasDone()
    {
        var world = Started();
        Train(world, 1, 30, TimeSpan.FromSeconds(2));
        Saved(world, 30);
        Train(world, 31, 32, TimeSpan.FromSeconds(2));
        world.Run(TimeSpan.FromSeconds(120));
        var plan = world.Events.OfType<RecoveryPlanned>().Last(p => p.Plan.Cause is not null).Plan;

        Assert.Equal(FailureKind.Hang, plan.Cause!.Kind);
        Assert.InRange(plan.Estimate!.LostWork, TimeSpan.FromSeconds(3.9), TimeSpan.FromSeconds(4.1));
    }

    /// <summary>Fence, and the duration of Leases: the fence counts from the renewal that did not come (ADR 7).</summary>
    [Theory]
    [InlineData(15, 4)]
    [InlineData(30, 40)]
    public void Estimate_NodeIsLost_CountsTheFence(int fence, int lease)
    {
        var world = new World(10, Specs.Gang(4, 1, g => g.WithFence(TimeSpan.FromSeconds(fence))).Build(), nodes: 6, lease: TimeSpan.FromSeconds(lease));
        world.Run(TimeSpan.FromSeconds(20));
        world.Kill(world.PodOf(1).Node!);
        world.Run(TimeSpan.FromSeconds(fence + lease + 20));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;

        Assert.Equal((FailureKind.NodeLost, Stage.Running), (plan.Cause!.Kind, world.State.Stage));
        var truth = world.State.Timing!.Restart!.Value;
        Assert.InRange(plan.Estimate!.Restart - truth, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(1));
        Assert.True(plan.Estimate.Restart > TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void LearnFrom_SpareThatWaitedTakesOver_IsKnownFromThenOn()
    {
        var world = World.Running(Specs.Gang(4, spares: 1).Build());
        world.KillContainer(world.PodOf(1));
        world.Run(TimeSpan.FromSeconds(30));
        Assert.Equal(RecoveryStep.ReplaceWithSpare, world.State.Plan!.Steps[1].Step);
        Assert.Equal(TimeSpan.Zero, world.State.Costs.ReplaceWithSpare);

        world.KillContainer(world.PodOf(2));
        world.Run(TimeSpan.FromSeconds(30));
        Assert.Equal((RecoveryStep.ReplaceWithSpare, true), (world.State.Plan!.Steps[2].Step, world.State.Plan.Estimate!.Learned));
    }
}
