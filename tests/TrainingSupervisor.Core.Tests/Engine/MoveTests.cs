using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Nodes that are about to go or are broken: workers are moved, in time and no sooner; and what is left alone.</summary>
public sealed class MoveTests
{
    private static World Started(int spares = 0, int nodes = 8, Action<GangBuilder>? more = null) => World.Running(Specs.Gang(4, spares, more).Build(), nodes);

    private static RecoveryPlan LastPlan(World world) => world.Events.OfType<RecoveryPlanned>().Last().Plan;

    [Fact]
    [Sees(FailureKind.NodeDraining)]
    public void Step_NodeCordonedWithoutSpare_TrainsOnUntilAReplacementWaits()
    {
        var world = Started(more: g => g.WithQuiesce(TimeSpan.FromSeconds(30)));
        var old = world.PodOf(2);
        world.Change(old.Node!, n => n.Cordoned = true);
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal((FailureKind.NodeDraining, RecoveryStep.ReplaceWithSpare), (LastPlan(world).Cause!.Kind, LastPlan(world).Steps[2].Step));
        Assert.NotEqual(old.Node, world.PodOf(2).Node);
        var created = world.Events.OfType<WorkerChanged>().First(e => e.Worker is { Worker: null, State: "Waiting" }).At;
        Assert.True(created <= LastPlan(world).Decided, "the gang was interrupted before its replacement waited");
        Assert.Equal(4, world.Quiesced.Count);
        // Nobody is told to restart before all have saved.
        Assert.All(world.Quiesced, q => Assert.True(q.At >= LastPlan(world).Decided));
        Assert.DoesNotContain(world.State.Pods.Values, p => p is { Worker: null, Doomed: false });
    }

    [Fact]
    public void Step_NodeUncordonedBeforeTheReplacementWaits_NobodyMoves()
    {
        var world = Started(nodes: 4);
        var node = world.PodOf(2).Node!;
        world.Change(node, n => n.Cordoned = true);
        world.Run(TimeSpan.FromSeconds(3));
        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        world.Change(node, n => n.Cordoned = false);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.Equal(4, world.Pods.Count);
    }

    [Fact]
    [LeavesAlone(FailureKind.NodeDraining)]
    public void Step_NodeWithoutPodsOfTheGangCordoned_IsLeftAlone()
    {
        var world = Started();
        var used = world.Pods.Values.Select(p => p.Node).ToHashSet();
        world.Change(world.Nodes.First(n => !used.Contains(n)), n => n.Cordoned = true);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.DoesNotContain(world.Events, e => e is FailureDetected);
    }

    [Theory]
    [Sees(FailureKind.NodeUnhealthy, FailureKind.NodeDraining)]
    [InlineData("KernelDeadlock", true, FailureKind.NodeUnhealthy)]
    [InlineData("AcceleratedHardwareReady", false, FailureKind.NodeUnhealthy)]
    [InlineData("PreemptScheduled", true, FailureKind.NodeDraining)]
    [InlineData("MyGpuIsSick", true, FailureKind.NodeUnhealthy)]
    public void Step_ConditionThatMeansTrouble_MovesTheWorker(string type, bool status, FailureKind kind)
    {
        var world = Started(spares: 1, more: g => g.WithNodeCondition("MyGpuIsSick"));
        var old = world.PodOf(1).Node!;
        world.Change(old, n => n.Conditions = [new NodeCondition(type, "Why", "what was seen") { Status = status }]);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2, kind), (world.State.Stage, world.State.Attempt, LastPlan(world).Cause!.Kind));
        Assert.Contains("what was seen", LastPlan(world).Cause!.Evidence, StringComparison.Ordinal);
        Assert.NotEqual(old, world.PodOf(1).Node);
    }

    [Theory]
    [Sees(FailureKind.NodeDraining)]
    [LeavesAlone(FailureKind.NodeDraining)]
    [InlineData("Preempt Scheduled: Mon, 02 Mar 2026 19:01:45 GMT", true)]
    [InlineData("Reboot Scheduled: Mon, 02 Mar 2026 19:01:45 GMT", true)]
    [InlineData("Freeze Scheduled: Mon, 02 Mar 2026 19:01:45 GMT", false)]
    [InlineData("IMDS unavailable", false)]
    public void Of_PlannedEventOfAVm_MeansSomethingOnlyIfTheVmEnds(string message, bool ends)
    {
        var node = new NodeObservation { Name = "n", Ready = true, Conditions = [new NodeCondition("VMEventScheduled", "VMEventScheduled", message)] };
        var sign = NodeSigns.Of(Specs.Gang().Build(), node);

        if (!ends) Assert.Null(sign);
        else Assert.Equal((FailureKind.NodeDraining, $"the node's condition VMEventScheduled is True: VMEventScheduled {message}", true), (sign!.Kind, sign.Evidence, sign.IsUrgent));
    }

    /// <summary>Every built-in name, as its maker writes it, and the same with the other status or another name.</summary>
    [Fact]
    [Sees(FailureKind.NodeUnhealthy, FailureKind.NodeDraining)]
    [LeavesAlone(FailureKind.NodeUnhealthy, FailureKind.NodeDraining)]
    public void Of_EachBuiltInSign_IsSeenAndItsOppositeIsNot()
    {
        var spec = Specs.Gang().Build();
        foreach (var sign in NodeSigns.BuiltIn)
        {
            FoundSign? Found(string name, bool status) => NodeSigns.Of(spec, sign.IsTaint
                ? new NodeObservation { Name = "n", Taints = [$"{name}:NoSchedule"] }
                : new NodeObservation { Name = "n", Conditions = [new NodeCondition(name, "Why", "Reboot Scheduled") { Status = status }] });

            Assert.Equal(sign.Kind, Found(sign.Name, sign.BadStatus)?.Kind);
            Assert.Null(Found(sign.Name + "X", sign.BadStatus));
            if (!sign.IsTaint) Assert.Null(Found(sign.Name, !sign.BadStatus));
        }
    }

    [Theory]
    [LeavesAlone(FailureKind.NodeUnhealthy, FailureKind.NodeDraining)]
    [InlineData("KernelDeadlock", false)]
    [InlineData("AcceleratedHardwareReady", true)]
    [InlineData("MemoryPressure", true)]
    [InlineData("SomethingElse", true)]
    public void Step_ConditionThatMeansNothing_IsLeftAlone(string type, bool status)
    {
        var world = Started();
        world.Change(world.PodOf(1).Node!, n => n.Conditions = [new NodeCondition(type, "Why", "") { Status = status }]);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    public void Step_HealthSystemReportsTheNode_MovesTheWorkerWithItsWords()
    {
        var world = Started(spares: 1);
        world.Change(world.PodOf(3).Node!, n => n.Reported = "NodeUnhealthy: Xid 79 on GPU 3");
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(new WorkerId("trainer", 3), LastPlan(world).Cause!.Worker);
        Assert.Contains("Xid 79 on GPU 3", LastPlan(world).Cause!.Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Hang: no step for an hour")]
    [InlineData("Killed: by its watchdog")]
    public void Step_HealthSystemReportsANodeWithAnotherKind_TheWorkerLeavesTheNodeOnce(string annotation)
    {
        var world = Started(spares: 1);
        var node = world.PodOf(3).Node!;
        world.Change(node, n => n.Reported = annotation);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.NotEqual(node, world.PodOf(3).Node);
        Assert.True(Quarantine.Holds(world.State, node.Name, world.Now));
    }

    [Theory]
    [InlineData("ECC errors in HBM")]
    [InlineData("ApplicationError: wrong shard")]
    public void Step_HealthSystemReportsAPod_AnotherPodTakesItsPlaceAtOnce(string annotation)
    {
        var world = Started(spares: 1);
        var pod = world.PodOf(3);
        world.Annotate(pod, annotation);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.NotEqual(pod.Name, world.PodOf(3).Name);
        Assert.Empty(world.State.Quarantined);
    }

    [Fact]
    public void Step_QuarantineOver_NodeIsForgiven()
    {
        var world = Started(spares: 1, more: g => g.WithQuarantine(TimeSpan.FromMinutes(10)));
        var lost = world.PodOf(1).Node!;
        world.Partition(lost);
        world.Run(TimeSpan.FromSeconds(30));
        world.Heal(lost);
        Assert.True(Quarantine.Holds(world.State, lost.Name, world.Now));
        world.Run(TimeSpan.FromMinutes(10));

        Assert.False(Quarantine.Holds(world.State, lost.Name, world.Now));
    }

    [Fact]
    [Sees(FailureKind.Unschedulable)]
    public void Step_NoOtherNodeThanTheOneInQuarantine_IsForgivenWhenItLooksWell()
    {
        var world = Started(nodes: 4);
        var lost = world.PodOf(1).Node!;
        world.Partition(lost);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        world.Heal(lost);
        world.Run(TimeSpan.FromSeconds(40));

        Assert.Equal((GangPhase.Running, Stage.Running, 2), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.Contains(world.Events, e => e is FailureDetected { Failure.Kind: FailureKind.Unschedulable });
    }

    [Fact]
    [Sees(FailureKind.RestartStuck)]
    public void Step_RestartInPlaceNeverComesBack_GetsAnotherPod()
    {
        var world = Started(more: g => g.WithRestartDeadline(TimeSpan.FromSeconds(20)));
        var stuck = world.PodOf(2);
        stuck.NeverBoots = true;
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(19));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        stuck.Faulty = true;
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Contains(world.Events, e => e is FailureDetected { Failure: { Kind: FailureKind.RestartStuck, Worker.Index: 2 } });
        Assert.NotEqual(stuck.Name, world.State.Workers[2]);
    }

    [Fact]
    public void Step_WithoutFencing_ReplacementIsOrderedWithinTenSeconds()
    {
        var world = Started(more: g => g.WithoutFencing());
        var lost = world.PodOf(1);
        var at = world.Now;
        world.Kill(lost.Node!);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.True(LastPlan(world).Decided - at < TimeSpan.FromSeconds(10));
        Assert.NotEqual(lost.Name, world.State.Workers[1]);
    }

    [Fact]
    public void Step_QuarantineThatIsToldToNodes_MarksTheNodeAndTakesTheMarkAway()
    {
        var world = Started(spares: 1, more: g => g.WithQuarantine(TimeSpan.FromMinutes(10), taintNodes: true));
        var lost = world.PodOf(1).Node!;
        world.Partition(lost);
        world.Run(TimeSpan.FromSeconds(15));
        world.Heal(lost);
        world.Run(TimeSpan.FromMinutes(9));
        Assert.Contains("llm.default.quarantine.training-supervisor.dev/node-failed:NoSchedule", lost.Taints);
        world.Run(TimeSpan.FromMinutes(2));

        Assert.Empty(lost.Taints);
        Assert.Equal([(lost.Name, true), (lost.Name, false)], world.Marks.Select(m => (m.Mark.Node, m.Mark.Quarantined)));
    }

    [Fact]
    public void Step_GangIsStopped_TakesItsMarksAway()
    {
        var world = Started(spares: 1, more: g => g.WithQuarantine(TimeSpan.FromMinutes(10), taintNodes: true));
        var sick = world.PodOf(1).Node!;
        world.Change(sick, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "") { Status = true }]);
        world.Run(TimeSpan.FromSeconds(30));
        Assert.NotEmpty(sick.Taints);
        world.Stop();
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal(Stage.Ended, world.State.Stage);
        Assert.Empty(sick.Taints);
    }

    [Fact]
    public void Step_MarkingIsRefused_IsNotAskedAgain()
    {
        var world = Started(spares: 1, more: g => g.WithQuarantine(TimeSpan.FromMinutes(10), taintNodes: true));
        var sick = world.PodOf(1).Node!;
        world.RefusesMarks = true;
        world.Change(sick, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "") { Status = true }]);
        world.Run(TimeSpan.FromMinutes(5));

        Assert.Single(world.Marks);
        Assert.Contains(world.Events, e => e is GangNotice { Text: "MarkNode failed: forbidden" });
    }

    [Theory]
    [InlineData("a", RecoveryStep.ReplaceWithSpare)]
    [InlineData("b", RecoveryStep.Recreate)]
    public void Step_SparePoolOfALabel_ServesOnlyWorkersOnNodesWithIt(string rack, RecoveryStep step)
    {
        var spec = Gang.Create("llm").AddRole("trainer", r => r
            .WithCount(4).WithSpares(1, "rack", "a").WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1)).Build();
        var world = new World(1, spec, 8);
        for (var i = 0; i < 8; i++)
        {
            var own = i % 2 == 0 ? "a" : "b";
            world.Change(world.Nodes[i], n => n.Rack = own);
        }

        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Running, world.State.Stage);
        var spare = world.Pods.Values.Single(p => p.Request.Worker is null);
        Assert.Equal("a", spare.Node!.Rack);
        Assert.DoesNotContain(world.Events, e => e is GangNotice);
        var rank = Enumerable.Range(0, 4).First(r => world.PodOf(r).Node!.Rack == rack);
        world.KillContainer(world.PodOf(rank));
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2, step), (world.State.Stage, world.State.Attempt, LastPlan(world).Steps[rank].Step));
    }

    /// <summary>While a cordoned node's worker waits for its replacement, for as long as the barrier's deadline where no node is free.</summary>
    private static World Waiting(Action<GangBuilder>? more = null)
    {
        var world = Started(nodes: 4, more: more);
        for (var rank = 0; rank < 4; rank++) world.Progress(world.PodOf(rank), 7);
        world.Change(world.PodOf(2).Node!, n => n.Cordoned = true);
        world.Run(TimeSpan.FromSeconds(3));
        Assert.Equal((Stage.Running, FailureKind.NodeDraining), (world.State.Stage, Assert.Single(world.State.Failures).Kind));
        return world;
    }

    [Theory]
    [InlineData(2)]
    [InlineData(0)]
    public void Step_WorkerFailsWhileACordonWaitsForAReplacement_IsTheFirstCause(int rank)
    {
        var world = Waiting();
        world.Exit(world.PodOf(rank), 3);
        world.Run(TimeSpan.FromSeconds(1));

        Assert.Equal((2, FailureKind.ApplicationError, rank), (world.State.Attempt, LastPlan(world).Cause!.Kind, LastPlan(world).Cause!.Worker!.Value.Index));
        // The worker on the cordoned node moves with the same restart.
        Assert.Equal(RecoveryStep.Recreate, LastPlan(world).Steps[2].Step);
    }

    [Fact]
    public void Step_GangHangsWhileACordonWaitsForAReplacement_IsReported()
    {
        var world = Waiting(g => g.WithHangTimeout(TimeSpan.FromSeconds(20)));
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((2, FailureKind.Hang), (world.State.Attempt, LastPlan(world).Cause!.Kind));
    }

    [Fact]
    public void Step_PodOfACordonedNodeIsEvicted_IsNotSaidToStay()
    {
        var world = Waiting();
        var pod = world.PodOf(2);
        world.Tell(new PodSeen(pod.Observe() with { DisruptionReason = "EvictionByEvictionAPI", DisruptionMessage = "Eviction API: evicting", Deleting = true }));
        world.Run(TimeSpan.FromSeconds(1));

        Assert.Equal((2, FailureKind.Evicted), (world.State.Attempt, LastPlan(world).Cause!.Kind));
        Assert.DoesNotContain(world.Events.OfType<GangNotice>(), n => n.Text.Contains("is not about to go", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Straggler: its network is slow", FailureKind.NodeUnhealthy)]
    [InlineData("NodeDraining: maintenance at noon", FailureKind.NodeUnhealthy)]
    [InlineData("NodeLost: no power", FailureKind.NodeLost)]
    [InlineData("Xid 79", FailureKind.NodeUnhealthy)]
    public void Of_HealthSystemSaysSomethingMilderThanACondition_TheGraverCounts(string annotation, FailureKind kind)
    {
        var node = new NodeObservation { Name = "n", Ready = true, Reported = annotation, Conditions = [new NodeCondition("KernelDeadlock", "Why", "x")] };

        Assert.Equal(kind, NodeSigns.Of(Specs.Gang().Build(), node)!.Kind);
    }

    [Fact]
    public void Step_HealthSystemReportsAPodWhoseWorkerWasKilled_MovesItWithinTheSameRecovery()
    {
        var world = Started();
        var pod = world.PodOf(2);
        world.Exit(pod, 137, signal: 9);
        world.Run(TimeSpan.FromMilliseconds(70));
        Assert.Equal(2, world.State.Attempt);
        world.Annotate(pod, "the GPU has fallen off the bus");
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.NotEqual(pod, world.PodOf(2));
        Assert.Single(world.Events.OfType<FailureDetected>(), f => f.Failure.Kind == FailureKind.HealthCheckFailed);
    }

    [Fact]
    public void Step_AnotherFailsAfterANodeWasForgivenWithinTheRecovery_TheNodeIsNotBlamedTwice()
    {
        var world = Started(nodes: 4);
        var node = world.PodOf(1).Node!;
        world.Change(node, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "x")]);
        world.Run(TimeSpan.FromSeconds(7));
        Assert.Equal((Stage.Barrier, 1), (world.State.Stage, world.State.Quarantined[node.Name].Failures));
        world.Change(node, n => n.Conditions = []);
        while (Quarantine.Holds(world.State, node.Name, world.Now)) world.Run(TimeSpan.FromMilliseconds(10));
        world.KillContainer(world.PodOf(2));
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Contains(world.State.Plan!.Failures, f => f.Kind == FailureKind.Killed);
        Assert.Equal((1, false), (world.State.Quarantined[node.Name].Failures, Quarantine.Holds(world.State, node.Name, world.Now)));
    }

    [Theory]
    [InlineData("a", 1)]
    [InlineData("b", 0)]
    public void Step_NodeCordonedWhereSparesHaveALabel_OnlyAFittingOneIsReadyForIt(string rack, int made)
    {
        var spec = Gang.Create("llm")
            .AddRole("trainer", r => r.WithCount(4).WithSpares(1, "rack", "b").WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1)).Build();
        var world = new World(1, spec, nodes: 12);
        for (var i = 0; i < 12; i++)
        {
            var number = i;
            world.Change(world.Nodes[i], n => n.Rack = number % 2 == 0 ? "a" : "b");
        }

        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        var rank = Enumerable.Range(0, 4).First(r => world.PodOf(r).Node!.Rack == rack);
        var ordered = world.Ordered.Count;
        world.Change(world.PodOf(rank).Node!, n => n.Cordoned = true);
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((Stage.Running, 2, RecoveryStep.ReplaceWithSpare), (world.State.Stage, world.State.Attempt, LastPlan(world).Steps[rank].Step));
        // And the labelled one is made anew when it was taken.
        Assert.Equal(ordered + 1, world.Ordered.Count);
        Assert.Equal(made, world.Ordered.Skip(ordered).Count(o => o.At <= LastPlan(world).Decided - TimeSpan.FromMilliseconds(1)));
    }
}
