using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>Policies in a running gang: what is remembered, what joins, what survives the supervisor.</summary>
public sealed class PolicyInMachineTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Soon = TimeSpan.FromSeconds(8);

    private static World Started(Action<PolicyBuilder> policy, int workers = 4) => World.Running(Specs.Gang(workers, more: g => g.WithPolicy(policy)).Build(), workers + 4);

    private static void Report(World world, Failure failure)
    {
        world.Report(failure);
        world.Run(Soon);
    }

    private static void Says(World world, SimPod pod, string words, UnhealthySource by = UnhealthySource.LogPattern, double seconds = 8)
    {
        world.Tell(new ProgressSeen(pod.Name, pod.Uid, new ProgressObservation(pod.Attempt, 3, -1, "", words) { UnhealthyBy = by }));
        world.Run(TimeSpan.FromSeconds(seconds));
    }

    [Fact]
    public void Step_LadderAcrossASupervisorsDeath_ClimbsOn()
    {
        var world = Started(p => p.OnExitCode([7], r => r.Use(RecoveryStrategy.RestartProcesses).Then(RecoveryStrategy.RecreateGang, after: 2, within: Hour)));
        for (var i = 0; i < 3; i++)
        {
            if (i == 1) world.CrashSupervisor(500);
            world.Run(Soon);
            world.Exit(world.PodOf(i), 7);
            world.Run(Soon);
        }

        Assert.Equal(
            [RecoveryStrategy.RestartProcesses, RecoveryStrategy.RestartProcesses, RecoveryStrategy.RecreateGang],
            world.State.Recoveries.Select(e => e.Strategy));
        Assert.Equal([0, 0, 1], world.State.Recoveries.Select(e => e.Rung));
        Assert.Equal([0, 1, 2], world.State.Recoveries.Select(e => e.Worker!.Value.Index));
        Assert.Equal([2, 3, 4], world.State.Recoveries.Select(e => e.Attempt));
        Assert.Equal(world.State.Recoveries.AsEnumerable(), world.Record!.Recoveries.AsEnumerable());
    }

    [Theory]
    [InlineData(9, GangPhase.Failed)]
    [InlineData(10, GangPhase.Running)]
    public void Step_ProgressAfterARecovery_PaysItBack(int steps, GangPhase phase)
    {
        var world = Started(p => p.WithBudget(1, Hour, paidBackAfter: 10));
        world.Progress(world.PodOf(1), 500);
        world.Progress(world.PodOf(0), 400);
        world.Run(Soon);
        world.Exit(world.PodOf(2), 3);
        world.Run(Soon);
        Assert.Equal(500, Assert.Single(world.State.Recoveries).BestStep);
        // Back at an earlier checkpoint, which is no progress, and a takeover, which forgets no step that the record needs.
        world.Progress(world.PodOf(1), 450);
        world.CrashSupervisor(500);
        world.Run(Soon);
        world.Progress(world.PodOf(1), 500 + steps);
        world.Run(Soon);
        world.Exit(world.PodOf(3), 3);
        world.Run(Soon);
        Assert.Equal(phase, world.State.Phase);
    }

    [Fact]
    public void Step_FailureAfterATakeoverWithoutANewStep_IsCountedFromTheFurthestStepBefore()
    {
        var world = Started(p => p.WithBudget(5, Hour));
        world.Progress(world.PodOf(1), 500);
        world.Exit(world.PodOf(2), 3);
        world.Run(Soon);
        world.CrashSupervisor(500);
        world.Run(Soon);
        world.Exit(world.PodOf(3), 3);
        world.Run(Soon);
        Assert.Equal([500, 500], world.State.Recoveries.Select(e => e.BestStep));
    }

    [Theory]
    [InlineData("80Gi", "memory limit 80Gi of container worker")]
    [InlineData(null, "container worker has no memory limit: the node's memory was full")]
    public void Step_OutOfMemoryAgainAndAgain_FailsByDefaultAndNamesTheLimit(string? limit, string words)
    {
        var world = Started(_ => { });
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal((GangPhase.Running, Stage.Running, i + 1), (world.State.Phase, world.State.Stage, world.State.Attempt));
            var pod = world.PodOf(2);
            world.Tell(new PodSeen(pod.Observe() with { WorkerContainer = "worker", MemoryLimits = limit is null ? [] : [new ContainerMemory("worker", limit)] }));
            world.Exit(pod, 137, 9, outOfMemory: true);
            world.Run(TimeSpan.FromSeconds(60));
        }

        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.StartsWith("OutOfMemory of trainer-2", world.State.Outcome, StringComparison.Ordinal);
        Assert.Contains(words, world.State.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_IgnoredFailureOfAHigherRankBesideAnother_DoesNotHideIt()
    {
        var world = Started(p => p.On(FailureKind.NodeUnhealthy, RecoveryStrategy.Ignore));
        var pod = world.PodOf(1);
        Report(world, new Failure(FailureKind.NodeUnhealthy, "a fan is slow", world.Now) { Worker = new WorkerId("trainer", 1), Pod = pod.Name, Node = pod.Node!.Name });
        Assert.Equal((GangPhase.Running, Stage.Running, 1), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.Contains(world.Events.OfType<GangNotice>(), n => n.Text.StartsWith("ignored (rule 1, NodeUnhealthy: Ignore): NodeUnhealthy of trainer-1", StringComparison.Ordinal));

        world.Exit(world.PodOf(2), 3);
        Report(world, new Failure(FailureKind.NodeUnhealthy, "a fan is slow", world.Now) { Worker = new WorkerId("trainer", 3), Pod = world.PodOf(3).Name });
        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;
        Assert.Equal((FailureKind.ApplicationError, 1), (plan.Cause!.Kind, plan.Failures.Length));
    }

    [Fact]
    public void Step_IgnoredFailureGoesOn_IsToldOnceAndHidesNoOtherOfItsPod()
    {
        var world = Started(p => p.On(FailureKind.NodeUnhealthy, RecoveryStrategy.Ignore));
        Failure Of(FailureKind kind) => new(kind, "x", world.Now) { Worker = new WorkerId("trainer", 1), Pod = world.PodOf(1).Name };
        for (var i = 0; i < 3; i++)
        {
            Report(world, Of(FailureKind.NodeUnhealthy));
            Report(world, Of(FailureKind.Straggler));
        }

        Assert.Equal(2, world.Events.OfType<GangNotice>().Count(n => n.Text.StartsWith("ignored", StringComparison.Ordinal)));
        Assert.Equal(2, world.Events.OfType<FailureDetected>().Count());
        Assert.Equal(1, world.State.Attempt);

        Report(world, Of(FailureKind.Hang));
        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        Report(world, Of(FailureKind.NodeUnhealthy));
        Assert.Equal(3, world.Events.OfType<GangNotice>().Count(n => n.Text.StartsWith("ignored", StringComparison.Ordinal)));
    }

    [Fact]
    public void Step_IgnoredHang_IsToldAgainOnlyAfterAnotherTimeout()
    {
        var world = new World(1, Specs.Gang(2, more: g => g.WithHangTimeout(TimeSpan.FromSeconds(60)).WithPolicy(p => p.On(FailureKind.Hang, RecoveryStrategy.Ignore))).Build(), nodes: 4);
        world.Run(TimeSpan.FromSeconds(150));
        Assert.Equal((GangPhase.Running, 1), (world.State.Phase, world.State.Attempt));
        Assert.InRange(world.Events.OfType<FailureDetected>().Count(), 1, 2);
    }

    [Fact]
    public void Step_LikelierCauseJoins_IsWhatIsRemembered()
    {
        var world = Started(p => p.On(FailureKind.OutOfMemory, r => r.Named("memory").Use(RecoveryStrategy.Hybrid).Quiesce(TimeSpan.FromSeconds(4))).WithBudget(1, Hour));
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromMilliseconds(70));
        Assert.Equal(2, world.State.Attempt);
        Report(world, new Failure(FailureKind.OutOfMemory, "OOMKilled", world.Now) { Worker = new WorkerId("trainer", 2), Pod = world.PodOf(2).Name });
        var entry = Assert.Single(world.State.Recoveries);
        Assert.Equal((FailureKind.OutOfMemory, "memory", 2, 2), (entry.Kind, entry.Rule, entry.Worker!.Value.Index, entry.Attempt));
        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
    }

    [Fact]
    public void Step_JoiningFailureThatFailsTheGang_FailsIt()
    {
        var world = Started(p => p.OnExitCode([64], RecoveryStrategy.FailGang));
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromMilliseconds(70));
        Report(world, new Failure(FailureKind.StartError, "no such file", world.Now) { Worker = new WorkerId("trainer", 1), Pod = world.PodOf(1).Name, ExitCode = 64 });
        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("no such file (rule 1, any failure with exit code 64: FailGang)", world.State.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_RuleQuiesces_NobodyIsRestartedBeforeTheTimeIsUp()
    {
        var world = Started(p => p.OnAny(r => r.Use(RecoveryStrategy.Hybrid).Quiesce(TimeSpan.FromSeconds(3))));
        world.SaveMilliseconds = 60_000;
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(2));
        Assert.Equal((0, 2), (world.Restarts, world.State.Attempt));
        world.Run(TimeSpan.FromSeconds(5));
        Assert.Equal((4, 2, Stage.Running), (world.Restarts, world.State.Attempt, world.State.Stage));
    }

    [Fact]
    public void Step_ManyRecoveries_KeepsOnlyWhatAWindowCanAskFor()
    {
        var world = Started(p => p.WithBudget(1000, TimeSpan.FromMinutes(5)).WithoutNodeBudget(), workers: 1);
        for (var i = 0; i < 4; i++)
        {
            world.Exit(world.PodOf(0), 3);
            world.Run(TimeSpan.FromHours(11));
        }

        // The default ladders ask 24 hours back.
        Assert.Equal(3, world.State.Recoveries.Length);
    }

    [Fact]
    public void ToText_TenThousandWorkers_IsShortAndSaysWhatCounts()
    {
        var failure = new Failure(FailureKind.Hang, "no step for 30 s", DateTimeOffset.UnixEpoch) { Worker = new WorkerId("trainer", 7), Node = "node-7", SeenBy = "progress" };
        var decision = new RecoveryPolicy().Decide(new FailureContext(failure, DateTimeOffset.UnixEpoch) { QuiesceDeadline = TimeSpan.FromSeconds(20) });
        var plan = new RecoveryPlan
        {
            Attempt = 3,
            Cause = failure,
            Failures = [failure, .. Enumerable.Range(0, 9000).Select(i => new Failure(FailureKind.ApplicationError, "NCCL", failure.At) { Worker = new WorkerId("trainer", i) })],
            Decision = decision,
            Reason = decision.Reason,
            Steps = [.. Enumerable.Range(0, 10_000).Select(i => new WorkerStep(new WorkerId("trainer", i), i == 7 ? RecoveryStep.Recreate : RecoveryStep.RestartInPlace, i == 7 ? "it hangs" : "its Pod is healthy"))],
            AvoidNodes = ["node-7"],
            QuiesceDeadline = decision.Quiesce,
            Estimate = new RecoveryEstimate(TimeSpan.FromSeconds(42.5), TimeSpan.FromSeconds(37), Learned: false),
            Decided = DateTimeOffset.UnixEpoch,
            NotBefore = DateTimeOffset.UnixEpoch.AddSeconds(40),
        };
        Assert.Equal(
            """
            cause       Hang of trainer-7 on node-7: no step for 30 s, at 1970-01-01 00:00:00Z, seen by progress
                        and 9000 more ApplicationError (trainer-0, trainer-1, trainer-2, trainer-3, trainer-4 and 8995 more)
            answer      Hybrid, to attempt 3
            because     the default for Hang: Hybrid, rung 1 of 2
            budget      gang: 0 of 20 recoveries within 1h spent before this
            budget      node node-7: 0 of 3 recoveries within 24h spent before this
            modifier    running workers get up to 20s to save first
            step        1 recreate: it hangs (trainer-7)
            step        9999 restart in place: its Pod is healthy (trainer-0, trainer-1, trainer-2, trainer-3, trainer-4 and 9994 more)
            avoids      1 node (node-7)
            backoff     workers start 40s after the decision at the earliest
            estimate    about 42.5 s (a first guess), and 37 s of training again

            """,
            plan.ToText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_IgnoredWordOfTheWorkerOrItsPod_DoesNotHideWhatItsNodeSays(bool annotated)
    {
        var world = Started(p => p.On(FailureKind.HealthCheckFailed, RecoveryStrategy.Ignore));
        var pod = world.PodOf(2);
        if (annotated) world.Annotate(pod, "its fan is slow");
        else world.Tell(new ProgressSeen(pod.Name, pod.Uid, new ProgressObservation(pod.Attempt, 3, -1, "", "loss is NaN")));
        world.Run(Soon);
        Assert.Equal((1, FailureKind.HealthCheckFailed), (world.State.Attempt, Assert.Single(world.Events.OfType<FailureDetected>()).Failure.Kind));

        world.Change(pod.Node!, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "x")]);
        world.Run(Soon);
        Assert.Equal((2, FailureKind.NodeUnhealthy), (world.State.Attempt, world.State.Plan!.Cause!.Kind));
    }

    [Theory]
    [InlineData(UnhealthySource.LogPattern, "CUDA error (failure pattern 'CUDA')", "log pattern")]
    [InlineData(UnhealthySource.HealthCommand, "'check' has failed 3 times in a row", "health command")]
    [InlineData(UnhealthySource.Worker, "loss is NaN", "worker")]
    public void Step_WorseAfterWhatARuleIgnores_IsAnswered(object by, string words, string seenBy)
    {
        var world = Started(p => p.OnLog("NCCL WARN", RecoveryStrategy.Ignore));
        var pod = world.PodOf(2);
        Says(world, pod, "NCCL WARN slow (failure pattern 'WARN')");
        Assert.Equal(1, world.State.Attempt);

        Says(world, pod, words, (UnhealthySource)by);

        Assert.Equal((2, Stage.Running), (world.State.Attempt, world.State.Stage));
        Assert.Equal(seenBy, Assert.Single(world.Events.OfType<RecoveryPlanned>().Last().Plan.Failures).SeenBy);
        Assert.Equal(2, world.Events.OfType<FailureDetected>().Count());
    }

    [Fact]
    public void Step_SeveralWordsAtOnceAndTheFirstIsIgnored_TheOthersAreHeard()
    {
        var world = Started(p => p.OnLog("NCCL WARN", RecoveryStrategy.Ignore));
        var pod = world.PodOf(2);
        world.Tell(new ProgressSeen(pod.Name, pod.Uid, new ProgressObservation(pod.Attempt, 3, -1, "", "NCCL WARN slow")
        {
            UnhealthyBy = UnhealthySource.LogPattern,
            Others = [new Ailment("NCCL WARN slower", UnhealthySource.LogPattern), new Ailment("CUDA error", UnhealthySource.LogPattern), new Ailment("'check' has failed", UnhealthySource.HealthCommand)],
        }));
        world.Run(Soon);

        Assert.Equal((2, Stage.Running), (world.State.Attempt, world.State.Stage));
        Assert.Equal("on its stderr: CUDA error", Assert.Single(world.Events.OfType<RecoveryPlanned>().Last().Plan.Failures).Evidence);
    }

    [Fact]
    public void Step_ManyLinesThatARuleIgnores_AreToldOnceAndHideNoOtherOfTheKind()
    {
        var world = Started(p => p.OnLog("NCCL WARN", RecoveryStrategy.Ignore));
        var pod = world.PodOf(2);
        for (var i = 0; i < 100; i++) Says(world, pod, $"NCCL WARN {i} (failure pattern 'WARN')", seconds: 0.2);

        Assert.Single(world.Events.OfType<FailureDetected>());
        Assert.Single(world.Events.OfType<GangNotice>(), n => n.Text.StartsWith("ignored", StringComparison.Ordinal));
        Assert.InRange(world.State.Pods[pod.Name].Ignored.Count, 1, PodState.MostIgnored);

        world.Report(new Failure(FailureKind.HealthCheckFailed, "NCCL WARN, and Xid 79", world.Now) { Pod = pod.Name });
        world.Report(new Failure(FailureKind.HealthCheckFailed, "Xid 79", world.Now) { Pod = pod.Name });
        world.Run(Soon);
        Assert.Equal((2, "Xid 79"), (world.State.Attempt, Assert.Single(world.Events.OfType<RecoveryPlanned>().Last().Plan.Failures).Evidence));
    }

    [Fact]
    public void Step_WorseBesideWhatARuleIgnores_IsAnsweredOnce()
    {
        var world = Started(p => p.OnLog("NCCL WARN", RecoveryStrategy.Ignore).OnAny(r => r.Use(RecoveryStrategy.Hybrid).Backoff(TimeSpan.FromSeconds(5))));
        var pod = world.PodOf(2);
        Says(world, pod, "NCCL WARN slow (failure pattern 'WARN')");
        for (var i = 0; i < 5; i++) world.Report(new Failure(FailureKind.HealthCheckFailed, $"Xid {i}", world.Now) { Pod = pod.Name });
        world.Run(Soon);

        Assert.Equal(2, world.State.Attempt);
        Assert.Equal(["on its stderr: NCCL WARN slow (failure pattern 'WARN')", "Xid 0"], world.Events.OfType<FailureDetected>().Select(f => f.Failure.Evidence));
    }

    [Theory]
    [InlineData(RecoveryStrategy.Ignore)]
    [InlineData(RecoveryStrategy.Hybrid)]
    public void Step_KindThatIsIgnoredComesWithinARecovery_MovesNobody(RecoveryStrategy strategy)
    {
        var world = Started(p => p.On(FailureKind.NodeUnhealthy, strategy).OnAny(r => r.Use(RecoveryStrategy.Hybrid).Backoff(TimeSpan.FromSeconds(5))));
        var pod = world.PodOf(2);
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal((Stage.Barrier, 2), (world.State.Stage, world.State.Attempt));
        world.Change(pod.Node!, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "x")]);
        world.Run(Soon);

        var moves = strategy != RecoveryStrategy.Ignore;
        Assert.Equal((Stage.Running, 2, moves), (world.State.Stage, world.State.Attempt, world.PodOf(2) != pod));
        Assert.Equal(moves, world.State.Quarantined.ContainsKey(pod.Node!.Name));
        Assert.Contains(world.Events.OfType<FailureDetected>(), f => f.Failure.Kind == FailureKind.NodeUnhealthy);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_NodeIsAboutToGoAndWhatElseItSaysIsIgnored_TheWorkerMoves(bool annotated)
    {
        var world = Started(p => p.On(FailureKind.NodeUnhealthy, RecoveryStrategy.Ignore));
        var node = world.PodOf(2).Node!;
        if (annotated) world.Change(node, n => n.Reported = "a fan is slow");
        else world.Change(node, n => n.Conditions = [new NodeCondition("KernelDeadlock", "Why", "x")]);
        world.Run(Soon);
        Assert.Equal(1, world.State.Attempt);

        world.Change(node, n => n.Taints = ["aws-node-termination-handler/spot-itn:NoSchedule"]);
        world.Run(Soon);
        Assert.Equal((2, FailureKind.NodeDraining), (world.State.Attempt, world.State.Plan!.Cause!.Kind));
    }
}
