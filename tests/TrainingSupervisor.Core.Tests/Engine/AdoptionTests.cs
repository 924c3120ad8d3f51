using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class AdoptionTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Step_FirstStart_WaitsForThePodsThatOthersMake()
    {
        var world = NewWorld(3);
        world.Controller!.Paused = true;
        world.Run(20 * Second);
        Assert.Equal((GangPhase.Starting, Stage.Barrier), (world.State.Phase, world.State.Stage));
        Assert.Equal(["trainer-0#1", "trainer-1#1", "trainer-2#1"], world.State.Workers.AsEnumerable());

        world.Controller.Paused = false;
        world.Run(5 * Second);
        AssertRunning(world, 1);
        Assert.Equal(["trainer-0", "trainer-1", "trainer-2"], Enumerable.Range(0, 3).Select(r => world.PodOf(r).Request.Worker.ToString()));
    }

    [Fact]
    public void Step_ApplicationError_RestartsAllInPlaceWithTheSamePods()
    {
        var world = Started(3);
        var before = world.State.Workers;
        var writes = world.Writes;
        world.Exit(world.PodOf(1), 3);
        world.Run(5 * Second);

        AssertRunning(world, 2);
        Assert.Equal(before.AsEnumerable(), world.State.Workers.AsEnumerable());
        Assert.All(LastPlan(world).Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        Assert.Equal(2, world.Writes - writes);
    }

    [Theory]
    [InlineData(nameof(ControllerKind.Job))]
    [InlineData(nameof(ControllerKind.Unnumbered))]
    [InlineData(nameof(ControllerKind.SameName))]
    public void Step_PodDeletedByOthers_TheControllersNextTakesThePlace(string kind)
    {
        var world = Started(3, kind);
        var old = world.PodOf(1);
        world.DeleteByOthers(old);
        world.Run(15 * Second);

        AssertRunning(world, 2);
        Assert.NotEqual(old.Uid, world.PodOf(1).Uid);
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate, RecoveryStep.RestartInPlace], LastPlan(world).Steps.Select(s => s.Step));
        Assert.Equal(FailureKind.PodDeleted, LastPlan(world).Cause!.Kind);
        Assert.Equal(4, world.Controller!.Created);
    }

    [Theory]
    [InlineData(nameof(ControllerKind.Job))]
    [InlineData(nameof(ControllerKind.SameName))]
    public void Step_NodeLost_PodIsDeletedAndTheNextIsReleasedAfterTheFence(string kind)
    {
        var world = Started(3, kind);
        var old = world.PodOf(2);
        var at = world.Now;
        var writes = world.Writes;
        world.Partition(old.Node!);
        world.Run(30 * Second);

        AssertRunning(world, 2);
        Assert.True(old.Removed);
        Assert.Equal(FailureKind.NodeLost, LastPlan(world).Cause!.Kind);
        var released = world.Events.OfType<PhaseChanged>().Last(p => p.Phase == GangPhase.Running).At;
        Assert.InRange(released - at, world.Spec.Fence, world.Spec.Fence + (5 * Second));
        Assert.InRange(world.Writes - writes, 2, (2 * 1) + 4);
    }

    [Fact]
    public void Step_ControllerDoesNotReplaceWhatHasFailed_RemainsAreDeletedAfterAWhile()
    {
        var now = DateTimeOffset.UnixEpoch;
        var failed = Pod("llm-0", "u", 0) with { Phase = PodPhase.Failed };
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        var result = GangMachine.Step(state, [new PodSeen(failed), new CacheSynced()], now);
        result = GangMachine.Step(result.State, [new RecordSaved(1)], now);
        Assert.Equal("trainer-0#1", result.State.Workers[0]);
        result = GangMachine.Step(result.State, [new Tick()], now + (29 * Second));
        Assert.Empty(result.Effects.OfType<DeletePod>());
        Assert.Equal(now + (30 * Second), result.NextWake);
        result = GangMachine.Step(result.State, [new Tick()], now + (30 * Second));
        Assert.Equal(new DeletePod("llm-0", "u", Force: false), Assert.Single(result.Effects.OfType<DeletePod>()));
    }

    [Fact]
    public void Step_FailedPodsOfAWorkerThatHasAnother_AreLeftToBeLookedAt()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        state = GangMachine.Step(state, [new PodSeen(Pod("llm-0-a", "a", 0) with { Phase = PodPhase.Failed }), new PodSeen(Pod("llm-0-b", "b", 0)), new CacheSynced()], now).State;
        state = GangMachine.Step(state, [new RecordSaved(1)], now).State;
        Assert.Equal("llm-0-b", state.Workers[0]);
        Assert.Empty(GangMachine.Step(state, [new Tick()], now + (60 * Second)).Effects.OfType<DeletePod>());
    }

    [Fact]
    public void Step_SeveralPodsForAPlace_TheNewestThatIsNotBeingDeletedTakesIt()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        PodSeen[] seen = [Seen("a", 1), Seen("b", 3), Seen("c", 2), new(Seen("d", 4).Pod with { Deleting = true }), new(Seen("e", 5).Pod with { Phase = PodPhase.Failed })];
        state = GangMachine.Step(state, [.. seen, new CacheSynced()], now).State;
        Assert.Equal("llm-0-b", state.Workers[0]);

        PodSeen Seen(string uid, int age) => new(Pod($"llm-0-{uid}", uid, 0) with { Created = now + (age * Second) });
    }

    [Theory]
    [InlineData(nameof(ControllerKind.Job))]
    [InlineData(nameof(ControllerKind.Unnumbered))]
    [InlineData(nameof(ControllerKind.SameName))]
    public void Resume_PodReplacedWhileNobodyLed_OldOneIsWaitedFor(string kind)
    {
        var world = Started(3, kind);
        var old = world.PodOf(1);
        var ranks = Enumerable.Range(0, 3).Select(r => world.PodOf(r).Uid).ToList();
        world.CrashSupervisor(4000);
        // Cut off, and force-deleted by somebody: its worker runs on until its agent fences it, and the API knows nothing of it.
        world.Partition(old.Node!);
        world.DeleteByOthers(old, force: true);
        var at = world.Now;
        world.Run(30 * Second);

        AssertRunning(world, 2);
        Assert.Equal([ranks[0], ranks[2]], new[] { 0, 2 }.Select(r => world.PodOf(r).Uid));
        Assert.NotEqual(ranks[1], world.PodOf(1).Uid);
        var released = world.Events.OfType<PhaseChanged>().Last(p => p.Phase == GangPhase.Running).At;
        Assert.True(released - at >= world.Spec.Fence, $"{released - at}");
    }

    [Theory]
    [InlineData(nameof(ControllerKind.Job))]
    [InlineData(nameof(ControllerKind.Unnumbered))]
    [InlineData(nameof(ControllerKind.SameName))]
    public void Resume_RunningGang_FindsEveryWorkersPodAndDisturbsNobody(string kind)
    {
        var world = Started(4, kind);
        var before = world.State.Workers.Select(n => world.Pods[n].Uid).ToList();
        world.CrashSupervisor(2000);
        world.Run(10 * Second);

        AssertRunning(world, 1);
        Assert.Equal(before, world.State.Workers.Select(n => world.Pods[n].Uid));
        Assert.Equal(0, world.Restarts);
    }

    [Fact]
    public void Resume_InTheMiddleOfARecovery_GoesOnWithThePodThatHasCome()
    {
        var world = Started(3);
        world.Controller!.Paused = true;
        world.DeleteByOthers(world.PodOf(0));
        world.Run(3 * Second);
        Assert.Equal(Stage.Barrier, world.State.Stage);
        Assert.Equal("trainer-0#2", world.State.Workers[0]);

        world.CrashSupervisor(500);
        world.Controller.Paused = false;
        world.Run(10 * Second);
        AssertRunning(world, 2);
        Assert.Equal(new WorkerId("trainer", 0), world.PodOf(0).Request.Worker);
        Assert.Equal(4, world.Controller.Created);
    }

    [Fact]
    public void Resume_PodOfThePlanHasGone_MayHaveBeenReleasedAndIsWaitedFor()
    {
        var now = DateTimeOffset.UnixEpoch;
        var worker = new WorkerId("trainer", 0);
        var record = new GangRecord
        {
            Attempt = 2,
            Phase = GangPhase.Recovering,
            Plan = new RecoveryPlan { Attempt = 2, Steps = [new WorkerStep(worker, RecoveryStep.Recreate, "why") { Pod = "llm-0-b", OldPod = "llm-0-a" }] },
        };
        record = record with { Incarnations = record.Incarnations.Add("trainer-0", 2), Adopted = record.Adopted.Add("trainer-0", "llm-0-b/u") };
        var state = GangMachine.Resume(Specs.Adopted(1).Build(), 2, true, record, now);
        state = GangMachine.Step(state, [new CacheSynced()], now).State;
        Assert.Equal("trainer-0#3", state.Workers[0]);
        Assert.True(state.Pods["llm-0-b"] is { Gone: true, Doomed: true, MayRun: true });
    }

    [Fact]
    public void Step_TwoPodsOfOneIndex_OnlyOneIsEverReleased()
    {
        var world = Started(2);
        world.CreateByOthers(new PodRequest { Name = "llm-1-twin", Role = "trainer", Worker = new WorkerId("trainer", 1) });
        world.Run(10 * Second);
        AssertRunning(world, 1);
        Assert.NotEqual("llm-1-twin", world.State.Workers[1]);
        Assert.Equal(AgentPhase.Waiting, world.Pods["llm-1-twin"].Phase);

        world.Controller!.Paused = true;
        world.DeleteByOthers(world.PodOf(1));
        world.Run(10 * Second);
        AssertRunning(world, 2);
        Assert.Equal("llm-1-twin", world.State.Workers[1]);
    }

    [Fact]
    public void Step_WorkerRunsInAPodWithoutAPlace_ItIsEndedBeforeTheBarrierOpens()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        state = GangMachine.Step(state, [new PodSeen(Pod("llm-0-a", "a", 0)), new PodSeen(Pod("llm-0-b", "b", 0) with { Created = now }), new CacheSynced()], now).State;
        var result = GangMachine.Step(state, [new RecordSaved(1), Said("a", AgentPhase.Running), Said("b", AgentPhase.Waiting)], now);
        Assert.Equal("llm-0-b", result.State.Workers[0]);
        Assert.Equal("a", Assert.Single(result.Effects.OfType<HaltAgent>()).PodUid);
        Assert.Equal("a", Assert.Single(result.Effects.OfType<DeletePod>()).Uid);
        Assert.Empty(result.Effects.OfType<ReleaseGang>());
        result = GangMachine.Step(result.State, [Said("a", AgentPhase.Leaving)], now);
        Assert.Equal("b", Assert.Single(Assert.Single(result.Effects.OfType<ReleaseGang>()).Targets).PodUid);

        AgentSeen Said(string uid, AgentPhase phase) =>
            new($"llm-0-{uid}", uid, "trainer", "", "n", new AgentObservation { Instance = uid, Phase = phase, Attempt = phase == AgentPhase.Waiting ? 0 : 1 });
    }

    [Fact]
    public void Step_IndexThatTheRoleDoesNotHave_IsLeftAloneAndSaidOnce()
    {
        var world = Started(2);
        world.CreateByOthers(new PodRequest { Name = "llm-7", Role = "trainer", Worker = new WorkerId("trainer", 7) });
        world.Run(10 * Second);
        AssertRunning(world, 1);
        Assert.Single(world.Events.OfType<GangNotice>(), n => n.Text.Contains("llm-7 has index 7, and role trainer has 2 workers", StringComparison.Ordinal));
        Assert.False(world.Pods["llm-7"].Deleting);
    }

    [Fact]
    public void Step_Stop_AgentsEndWithACodeOfTheirOwnAndNoPodIsDeleted()
    {
        var world = Started(3);
        world.Controller!.Paused = true;
        world.Stop();
        world.Run(10 * Second);
        Assert.Equal((GangPhase.Stopped, Stage.Ended), (world.State.Phase, world.State.Stage));
        Assert.Equal(3, world.Pods.Count);
        Assert.All(world.Pods.Values, p => Assert.Equal((89, false), (p.ContainerExit, p.Deleting)));
    }

    [Fact]
    public void Step_StopWithAnAgentThatCannotBeTold_ItsPodIsDeleted()
    {
        var world = Started(3);
        world.Controller!.Paused = true;
        var cut = world.PodOf(1);
        world.Disconnect(cut);
        world.Run(4 * Second);
        world.Stop();
        world.Run(10 * Second);
        Assert.Equal(Stage.Ended, world.State.Stage);
        Assert.True(cut.Removed);
        Assert.Equal(2, world.Pods.Count);
    }

    [Fact]
    public void Step_StopBeforeAllHaveANode_WhatNothingRunsInIsLeftAlone()
    {
        var world = NewWorld(2, nodes: 1);
        world.Run(20 * Second);
        Assert.Equal(GangPhase.Starting, world.State.Phase);
        world.Controller!.Paused = true;
        world.Stop();
        world.Run(10 * Second);
        Assert.Equal(Stage.Ended, world.State.Stage);
        Assert.Equal([false, false], world.Pods.Values.Select(p => p.Deleting));
    }

    [Fact]
    public void Step_WorkersEndWell_SucceedsAndAgentsEndWithZero()
    {
        var world = Started(2);
        world.Controller!.Paused = true;
        foreach (var rank in new[] { 0, 1 }) world.Exit(world.PodOf(rank), 0);
        world.Run(10 * Second);
        Assert.Equal(GangPhase.Succeeded, world.State.Phase);
        Assert.All(world.Pods.Values, p => Assert.Equal((0, true, false), (p.ContainerExit, p.Ended, p.Deleting)));
    }

    [Fact]
    public void Step_AgentOfAnOlderGangOfThisName_ItsPodGoesAndThePlaceIsFree()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        var pod = Pod("llm-0-a", "u", 0);
        var agent = new AgentObservation { Instance = "i", Phase = AgentPhase.Running, Attempt = 5 };
        state = GangMachine.Step(state, [new PodSeen(pod), new CacheSynced()], now).State;
        Assert.Equal("llm-0-a", state.Workers[0]);
        state = GangMachine.Step(state, [new RecordSaved(1)], now).State;
        var result = GangMachine.Step(state, [new AgentSeen("llm-0-a", "u", "trainer", "", "n", agent)], now);

        Assert.Equal("trainer-0#1", result.State.Workers[0]);
        Assert.Equal(new DeletePod("llm-0-a", "u", Force: false), Assert.Single(result.Effects.OfType<DeletePod>()));
        Assert.Equal("u", Assert.Single(result.Effects.OfType<HaltAgent>()).PodUid);

        // Of this very attempt it stays.
        result = GangMachine.Step(state, [new AgentSeen("llm-0-a", "u", "trainer", "", "n", agent with { Phase = AgentPhase.Waiting, Attempt = 1 })], now);
        Assert.Equal("llm-0-a", result.State.Workers[0]);
        Assert.Empty(result.Effects.OfType<DeletePod>());
    }

    [Fact]
    public void Step_NewPodOfTheSameName_BothAreKnownByTheirUids()
    {
        var now = DateTimeOffset.UnixEpoch;
        var pod = Pod("llm-0", "old", 0);
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        state = GangMachine.Step(state, [new PodSeen(pod), new CacheSynced(), new RecordSaved(1)], now).State;
        var waits = new AgentObservation { Instance = "new/1", Phase = AgentPhase.Waiting };
        state = GangMachine.Step(state, [Said("old", "old/1", AgentPhase.Running, 1), new AgentSeen("llm-0", "new", "trainer", "", "n", waits)], now).State;
        Assert.Equal(["llm-0", "llm-0@new"], state.Pods.Keys.Order(StringComparer.Ordinal));

        state = GangMachine.Step(state, [new PodSeen(pod with { Uid = "new" })], now).State;
        Assert.Equal(("new", AgentPhase.Waiting, false), (state.Pods["llm-0"].Uid, state.Pods["llm-0"].Agent!.Phase, state.Pods["llm-0"].Gone));
        Assert.Equal(("old", AgentPhase.Running, true), (state.Pods["llm-0@old"].Uid, state.Pods["llm-0@old"].Agent!.Phase, state.Pods["llm-0@old"].Gone));

        state = GangMachine.Step(state, [new AgentGone("llm-0", "old", "old/1", now), new PodGone("llm-0", "old")], now).State;
        Assert.False(state.Pods["llm-0@old"].Connected);
        Assert.True(state.Pods["llm-0"] is { Connected: true, Gone: false });

        AgentSeen Said(string uid, string instance, AgentPhase phase, int attempt) =>
            new("llm-0", uid, "trainer", "", "n", new AgentObservation { Instance = instance, Phase = phase, Attempt = attempt });
    }

    [Fact]
    public void Step_NewPodOfTheSameNameBeforeTheOldOnesEndIsAnswered_TakesItsPlace()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Adopted(1).Build(), 1, true, now);
        state = GangMachine.Step(state, [new PodSeen(Pod("llm-0", "old", 0)), new CacheSynced()], now).State;
        state = GangMachine.Step(state, [new PodSeen(Pod("llm-0", "old", 0) with { Phase = PodPhase.Failed })], now).State;
        state = GangMachine.Step(state, [new PodSeen(Pod("llm-0", "new", 0))], now).State;
        Assert.Equal("llm-0@old", state.Workers[0]);
        for (var saved = 1; saved <= 2; saved++) state = GangMachine.Step(state, [new RecordSaved(saved)], now).State;
        Assert.Equal(("llm-0", "new"), (state.Workers[0], state.Pods["llm-0"].Uid));
    }

    private static PodObservation Pod(string name, string uid, int index) =>
        new() { Name = name, Uid = uid, Role = "trainer", Worker = new WorkerId("trainer", index), Node = "n", Phase = PodPhase.Running };

    private static World NewWorld(int workers, string kind = nameof(ControllerKind.Job), int nodes = 8) =>
        new(3, Specs.Adopted(workers).Build(), nodes, w => new SimController(w, Enum.Parse<ControllerKind>(kind), workers));

    private static World Started(int workers, string kind = nameof(ControllerKind.Job))
    {
        var world = NewWorld(workers, kind);
        world.Run(20 * Second);
        AssertRunning(world, 1);
        return world;
    }

    private static void AssertRunning(World world, int attempt)
    {
        Assert.Equal((GangPhase.Running, Stage.Running, attempt), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.All(world.State.Workers, n => Assert.True(world.State.Pods[n].Runs(attempt), n));
    }

    private static RecoveryPlan LastPlan(World world) => world.Events.OfType<RecoveryPlanned>().Last().Plan;
}
