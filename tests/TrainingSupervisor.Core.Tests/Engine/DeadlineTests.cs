using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Failures that are made of time: whoever is late, who it is and what it was waiting for, and nobody before.</summary>
public sealed class DeadlineTests
{
    private static World Started(Action<GangBuilder>? more = null, int nodes = 8) => World.Running(Specs.Gang(4, 0, more).Build(), nodes);

    private static List<Failure> Found(World world, FailureKind kind) => [.. world.Events.OfType<FailureDetected>().Select(f => f.Failure).Where(f => f.Kind == kind)];

    [Fact]
    [Sees(FailureKind.StartTimeout)]
    public void Step_OneIsNotThereByTheStartDeadline_IsNamedWithTheSchedulersWords()
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithStartDeadline(TimeSpan.FromSeconds(30))).Build(), nodes: 3);
        world.Run(TimeSpan.FromSeconds(29));
        Assert.Empty(Found(world, FailureKind.StartTimeout));
        world.Run(TimeSpan.FromSeconds(2));

        var late = Assert.Single(Found(world, FailureKind.StartTimeout));
        Assert.Equal(("Unschedulable: 0/8 nodes are available", "deadline"), (late.Evidence, late.SeenBy));
    }

    [Fact]
    [LeavesAlone(FailureKind.StartTimeout, FailureKind.Unschedulable)]
    public void Step_LastNodeComesShortlyBeforeTheStartDeadline_GangStarts()
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithStartDeadline(TimeSpan.FromSeconds(30))).Build(), nodes: 3);
        world.Run(TimeSpan.FromSeconds(4));
        Assert.Empty(Found(world, FailureKind.Unschedulable));
        world.Run(TimeSpan.FromSeconds(23));
        world.Add("late");
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((GangPhase.Running, Stage.Running), (world.State.Phase, world.State.Stage));
        Assert.Empty(Found(world, FailureKind.StartTimeout));
    }

    [Fact]
    [LeavesAlone(FailureKind.Unschedulable)]
    public void Step_SchedulerFindsANodeWithinFiveSeconds_IsNotTold()
    {
        var world = new World(1, Specs.Gang(4).Build(), nodes: 3);
        world.Run(TimeSpan.FromSeconds(4));
        Assert.Contains(world.Pods.Values, p => p.Unschedulable);
        world.Add("late");
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal(Stage.Running, world.State.Stage);
        Assert.Empty(Found(world, FailureKind.Unschedulable));
    }

    [Theory]
    [Sees(FailureKind.BarrierTimeout)]
    [LeavesAlone(FailureKind.BarrierTimeout)]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_ReplacementFindsNoNode_IsLateAtTheBarrierDeadlineAndNotBefore(bool comes)
    {
        var world = Started(g => g.WithBarrierDeadline(TimeSpan.FromSeconds(30)), nodes: 4);
        world.Kill(world.PodOf(2).Node!);
        world.Run(TimeSpan.FromSeconds(29));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        Assert.Empty(Found(world, FailureKind.BarrierTimeout));
        if (comes) world.Add("late");
        world.Run(TimeSpan.FromSeconds(8));

        if (comes) Assert.Empty(Found(world, FailureKind.BarrierTimeout));
        else Assert.Equal((new WorkerId("trainer", 2), "Unschedulable: 0/8 nodes are available"), Found(world, FailureKind.BarrierTimeout).Select(f => (f.Worker!.Value, f.Evidence)).Single());
    }

    [Fact]
    [LeavesAlone(FailureKind.RestartStuck)]
    public void Step_RestartInPlaceTakesLongButEnds_IsNotStuck()
    {
        var world = Started(g => g.WithRestartDeadline(TimeSpan.FromSeconds(20)));
        var slow = world.PodOf(2);
        slow.NeverBoots = true;
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(18));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        slow.NeverBoots = false;
        world.BootAgain(slow);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2, slow.Name), (world.State.Stage, world.State.Attempt, world.State.Workers[2]));
        Assert.Empty(Found(world, FailureKind.RestartStuck));
    }

    [Fact]
    [Sees(FailureKind.InvalidPod)]
    [LeavesAlone(FailureKind.InvalidPod)]
    public void Step_ApiServerRefusesAPod_IsAFailureOnlyIfItSaysSoForGood()
    {
        var state = GangMachine.Start(Specs.Gang(1).Build(), 1, restartsInPlace: true, DateTimeOffset.UnixEpoch);
        var step = GangMachine.Step(state, [new CacheSynced()], DateTimeOffset.UnixEpoch);
        step = GangMachine.Step(step.State, [new RecordSaved(step.State.SaveSequence)], DateTimeOffset.UnixEpoch);
        var create = step.Effects.OfType<CreatePod>().Single();

        var away = GangMachine.Step(step.State, [new EffectFailed(create, "the API server is away", Fatal: false)], DateTimeOffset.UnixEpoch);
        Assert.DoesNotContain(away.Effects, e => e is Publish { Event: FailureDetected });
        var refused = GangMachine.Step(step.State, [new EffectFailed(create, "spec.containers[0].image: Required value", Fatal: true)], DateTimeOffset.UnixEpoch);
        var failure = refused.Effects.OfType<Publish>().Select(p => p.Event).OfType<FailureDetected>().Single().Failure;
        Assert.Equal((FailureKind.InvalidPod, "spec.containers[0].image: Required value", "API server"), (failure.Kind, failure.Evidence, failure.SeenBy));
    }

    [Fact]
    public void Step_EachNewPodEndsBeforeItIsAtTheBarrier_TheRecoveryEndsAfterTheFallbacks()
    {
        var world = Started(g => g.WithBarrierDeadline(TimeSpan.FromMinutes(5)));
        world.KillContainer(world.PodOf(1));
        var doomed = new HashSet<string>();
        for (var end = world.Now + TimeSpan.FromMinutes(20); world.Now < end && !world.State.IsOver; world.Run(TimeSpan.FromMilliseconds(20)))
        {
            if (world.State.Attempt < 2 || !world.Pods.TryGetValue(world.State.Workers[1], out var pod) || pod.Node is null || pod.Alive || !doomed.Add(pod.Name)) continue;
            pod.Faulty = true;
            pod.PodPhase = PodPhase.Failed;
            pod.ContainerExit = 1;
            world.Tell(new PodSeen(pod.Observe()));
        }

        Assert.Equal((GangPhase.Failed, 2), (world.State.Phase, world.State.Attempt));
        Assert.Contains("first cause: Killed of trainer-1", world.State.Outcome, StringComparison.Ordinal);
        Assert.InRange(world.Now - DateTimeOffset.UnixEpoch, TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(16));
        // Without a wait between them there would be ten a second.
        Assert.InRange(world.Ordered.Count(o => o.Pod.StartsWith("llm-trainer-1-", StringComparison.Ordinal)), 10, 40);
    }

    [Fact]
    public void Step_AnotherWorkerFailsLateInARecovery_HasTheWholeDeadlineForItsNewPod()
    {
        var world = Started(g => g.WithBarrierDeadline(TimeSpan.FromSeconds(20)), nodes: 4);
        world.Kill(world.PodOf(1).Node!);
        world.Run(TimeSpan.FromSeconds(15));
        Assert.Equal((Stage.Barrier, 0), (world.State.Stage, world.State.Plan!.Fallback));
        world.Kill(world.PodOf(2).Node!);
        world.Run(TimeSpan.FromSeconds(17));

        Assert.Equal((Stage.Barrier, 0), (world.State.Stage, world.State.Plan!.Fallback));
    }

    [Theory]
    [InlineData("ImagePullBackOff", GangPhase.Failed)]
    [InlineData("PodInitializing", GangPhase.Running)]
    public void Step_ReplacementsImageCannotBeHad_FailsTheGangWithBothCauses(string reason, GangPhase phase)
    {
        var world = Started();
        world.KillContainer(world.PodOf(1));
        while (!world.Pods.ContainsKey("llm-trainer-1-2")) world.Run(TimeSpan.FromMilliseconds(10));
        var pod = world.Pods["llm-trainer-1-2"];
        (pod.Instance, pod.NeverBoots) = (1, true);
        world.Run(TimeSpan.FromSeconds(15));
        world.Tell(new PodSeen(pod.Observe() with { Containers = [new ContainerObservation { Name = "worker", State = ContainerState.Waiting, Reason = reason, Message = "no such image" }] }));
        world.Run(TimeSpan.FromSeconds(5));
        pod.NeverBoots = false;
        world.BootAgain(pod);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal(phase, world.State.Phase);
        if (phase != GangPhase.Failed) return;
        Assert.StartsWith("ImageUnavailable of trainer-1 in Pod llm-trainer-1-2", world.State.Outcome, StringComparison.Ordinal);
        Assert.Contains("no such image (the default for ImageUnavailable: FailGang; first cause: Killed of trainer-1", world.State.Outcome, StringComparison.Ordinal);
        Assert.Equal(5, world.Ordered.Count);
    }

    [Fact]
    [LeavesAlone(FailureKind.InvalidPod)]
    public void Step_ApiServerRefusesASpare_TheGangTrainsOnAndAsksAgain()
    {
        var world = World.Running(Specs.Gang(4, spares: 1).Build());
        var spare = world.Pods.Values.Single(p => p.Request.Worker is null);
        world.KillContainer(spare);
        while (world.Ordered.Count < 6) world.Run(TimeSpan.FromMilliseconds(1));
        var next = world.State.Pods.Values.Single(p => p is { Worker: null, Doomed: false });
        world.Tell(new EffectFailed(new CreatePod(new PodRequest { Name = next.Name, Role = "trainer" }), "exceeded quota", Fatal: true));
        world.Run(TimeSpan.FromSeconds(1));

        Assert.Equal((GangPhase.Running, 1), (world.State.Phase, world.State.Attempt));
        Assert.Empty(Found(world, FailureKind.InvalidPod));
        Assert.Contains(world.Events.OfType<GangNotice>(), n => n.Text.Contains("exceeded quota", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_ApiServerRefusesAReplacementForSomeTime_GoesOnOrSaysWhyItIsLate(bool passes)
    {
        var world = Started(g => g.WithBarrierDeadline(TimeSpan.FromSeconds(30)));
        world.RefusesPods = "exceeded quota: compute";
        if (passes) world.After(12_000, () => world.RefusesPods = null);
        world.KillContainer(world.PodOf(1));
        world.Run(TimeSpan.FromSeconds(35));

        if (passes) Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        else Assert.Equal("its Pod has not been created: exceeded quota: compute", Assert.Single(Found(world, FailureKind.BarrierTimeout)).Evidence);
    }

    [Fact]
    public void Step_ApiServerRefusesAReplacementForLong_IsAskedLessAndLessOftenAndSaysSoOnce()
    {
        var world = Started(g => g.WithBarrierDeadline(TimeSpan.FromMinutes(10)));
        world.RefusesPods = "exceeded quota: compute";
        var asked = world.Ordered.Count;
        world.KillContainer(world.PodOf(1));
        world.Run(TimeSpan.FromMinutes(5));

        Assert.InRange(world.Ordered.Count - asked, 9, 12);
        Assert.Single(world.Events.OfType<GangNotice>(), n => n.Text.Contains("exceeded quota", StringComparison.Ordinal));
    }
}
