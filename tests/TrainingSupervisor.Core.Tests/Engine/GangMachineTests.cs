using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class GangMachineTests
{
    private static World Started(int workers = 4, int spares = 0, int nodes = 8, int seed = 1, Action<GangBuilder>? more = null) => World.Running(Specs.Gang(workers, spares, more).Build(), nodes, seed);

    private static RecoveryPlan LastPlan(World world) => world.Events.OfType<RecoveryPlanned>().Last().Plan;

    [Fact]
    public void Step_ApplicationError_RestartsAllInPlaceAndDeletesNothing()
    {
        var world = Started();
        var before = world.Writes;
        world.Exit(world.PodOf(2), 3);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        Assert.All(LastPlan(world).Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        Assert.Equal(new WorkerId("trainer", 2), LastPlan(world).Cause!.Worker);
        Assert.Equal(2, world.Writes - before);
    }

    [Fact]
    public void Step_ExitThatIsToldTogetherWithWhatComesAfterIt_JoinsAsTheFirstCause()
    {
        // In a large gang the restart of all crosses the end that it is about, and what the agent says of both comes in one batch.
        var world = Started();
        world.Exit(world.PodOf(0), 1);
        while (world.State.Stage != Stage.Barrier) world.Run(TimeSpan.FromMilliseconds(1));
        var pod = world.PodOf(2);
        Assert.Equal((AgentPhase.Running, 1), (pod.Phase, pod.Attempt));
        AgentSeen Says(AgentObservation agent) => new(pod.Name, pod.Uid, "trainer", "", "", agent);
        var ended = Says(new AgentObservation
        {
            Instance = $"{pod.Instance}", Phase = AgentPhase.Exited, Attempt = 1, Exit = new WorkerExit { Code = 139, Signal = 11, Ended = world.Now - TimeSpan.FromSeconds(1) },
        });
        var waits = Says(new AgentObservation { Instance = $"{pod.Instance}", Phase = AgentPhase.Waiting, Attempt = 2 });

        var state = GangMachine.Step(world.State, [ended, waits], world.Now).State;

        Assert.Equal((new WorkerId("trainer", 2), FailureKind.Killed), (state.Plan!.Cause!.Worker!.Value, state.Plan.Cause.Kind));
    }

    [Fact]
    [Sees(FailureKind.NodeLost)]
    public void Step_NodeDiesWithSpare_SpareTakesTheRankAfterTheFence()
    {
        var world = Started(spares: 1);
        var before = world.Writes;
        var lost = world.PodOf(1).Node!;
        world.Kill(lost);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        Assert.Equal(RecoveryStep.ReplaceWithSpare, LastPlan(world).Steps[1].Step);
        Assert.Equal(FailureKind.NodeLost, LastPlan(world).Cause!.Kind);
        Assert.NotEqual(lost, world.PodOf(1).Node);
        Assert.True(world.State.Quarantined.ContainsKey(lost.Name));
        Assert.InRange(world.Writes - before, 2, (2 * 1) + 4);
    }

    [Fact]
    public void Step_NodeDiesWithoutSpare_PodIsRecreatedElsewhere()
    {
        var world = Started();
        world.Kill(world.PodOf(0).Node!);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        Assert.Equal(RecoveryStep.Recreate, LastPlan(world).Steps[0].Step);
        Assert.Equal("llm-trainer-0-2", world.State.Workers[0]);
    }

    [Fact]
    public void Step_SupervisorDies_WorkersTrainOn()
    {
        var world = Started();
        var restarts = world.Restarts;
        world.CrashSupervisor(2000);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((GangPhase.Running, 1), (world.State.Phase, world.State.Attempt));
        Assert.Equal(restarts, world.Restarts);
    }

    [Fact]
    public void Step_SupervisorDiesWithinARecovery_TheNextOneFinishesIt()
    {
        var world = Started(seed: 3);
        world.Exit(world.PodOf(1), 1);
        world.Run(TimeSpan.FromMilliseconds(120));
        world.CrashSupervisor(1000);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
    }

    [Fact]
    public void Step_PodEndsAfterItsWorkerHasFailed_IsMadeAnewAtOnce()
    {
        var world = Started();
        var pod = world.PodOf(2);
        world.Exit(pod, 137, 9);
        world.Run(TimeSpan.FromMilliseconds(80));
        world.KillContainer(pod);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal((Stage.Running, 2, "llm-trainer-2-2"), (world.State.Stage, world.State.Attempt, world.State.Workers[2]));
    }

    [Fact]
    public void Step_BudgetSpent_FailsWithTheFirstCause()
    {
        var world = Started(more: g => g.WithPolicy(p => p.WithBudget(1, TimeSpan.FromHours(1))));
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(5));
        world.Exit(world.PodOf(3), 4);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("trainer-3", world.State.Outcome, StringComparison.Ordinal);
        Assert.Contains("budget of 1", world.State.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_AllExitZero_Succeeds()
    {
        var world = Started();
        for (var rank = 0; rank < 4; rank++) world.Exit(world.PodOf(rank), 0);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal((GangPhase.Succeeded, Stage.Ended), (world.State.Phase, world.State.Stage));
        Assert.All(world.Pods.Values, p => Assert.True(p.Ended));
    }

    [Fact]
    public void Step_NoNodeFits_EndsAfterTheFallbacks()
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithStartDeadline(TimeSpan.FromSeconds(30))).Build(), nodes: 3);
        world.Run(TimeSpan.FromMinutes(5));

        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("StartTimeout", world.State.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_GangFailedAndADeletionFails_IsTriedAgainBeforeTheEnd()
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithStartDeadline(TimeSpan.FromSeconds(30))).Build(), nodes: 3);
        world.Run(TimeSpan.FromSeconds(89));
        Assert.Equal(GangPhase.Starting, world.State.Phase);
        var now = world.Now + TimeSpan.FromSeconds(31);
        var result = GangMachine.Step(world.State, [], now);
        result = GangMachine.Step(result.State, [new RecordSaved(result.State.SaveSequence)], now);
        var deletion = result.Effects.OfType<DeletePod>().First();
        result = GangMachine.Step(result.State, [new EffectFailed(deletion, "away", Fatal: false)], now);

        Assert.NotEqual(Stage.Ended, result.State.Stage);
        Assert.NotNull(result.NextWake);
        result = GangMachine.Step(result.State, [new Tick()], result.NextWake!.Value);
        Assert.Contains(result.Effects, e => e is DeletePod again && again.Name == deletion.Name);
    }

    [Fact]
    public void Step_StopRequested_StopsAndDeletesTheGang()
    {
        var world = Started();
        var result = GangMachine.Step(world.State, [new StopRequested("out of budget"), new StopRequested("again")], world.Now);
        Assert.Equal((GangPhase.Stopped, "out of budget"), (result.State.Phase, result.State.Outcome));
        Assert.Contains(result.Effects, e => e is SaveRecord { Record: { Phase: GangPhase.Stopped, Outcome: "out of budget" } });
    }

    [Theory]
    [InlineData("cordon")]
    [InlineData("node lost")]
    [InlineData("deleted")]
    [InlineData("annotated")]
    public void Step_PodOfAWorkerThatIsDoneIsLost_TheOthersTrainOn(string what)
    {
        var world = World.Running(Specs.Gang(4).Build());
        var done = world.PodOf(2);
        world.Exit(done, 0);
        world.Run(TimeSpan.FromSeconds(3));
        if (what == "cordon") world.Change(done.Node!, n => n.Cordoned = true);
        else if (what == "node lost") world.Kill(done.Node!);
        else if (what == "annotated") world.Annotate(done, "GPU 3 is sick");
        else world.DeleteByOthers(done);
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((Stage.Running, 1, 0), (world.State.Stage, world.State.Attempt, world.Restarts));
        foreach (var rank in new[] { 0, 1, 3 }) world.Exit(world.PodOf(rank), 0);
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(GangPhase.Succeeded, world.State.Phase);
    }
}
