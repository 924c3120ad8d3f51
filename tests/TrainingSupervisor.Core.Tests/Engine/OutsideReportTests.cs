using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class OutsideReportTests
{
    private static World Started() => World.Running(Specs.Gang(4).Build());

    private static Failure Of(World world, FailureKind kind) => new(kind, "says the fabric manager", world.Now);

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    public void Report_NamesPodOrWorkerOrNode_MovesThatWorker(bool pod, bool worker, bool node)
    {
        var world = Started();
        var sick = world.PodOf(2);
        sick.Faulty = true;
        world.Report(Of(world, FailureKind.NodeUnhealthy) with
        {
            Pod = pod ? sick.Name : null, Worker = worker ? new WorkerId("trainer", 2) : null, Node = node ? sick.Node!.Name : null,
        });
        world.Run(TimeSpan.FromSeconds(10));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal((sick.Name, new WorkerId("trainer", 2), sick.Node!.Name), (plan.Cause!.Pod, plan.Cause.Worker!.Value, plan.Cause.Node));
        Assert.NotEqual(sick.Node, world.PodOf(2).Node);
        Assert.All([0, 1, 3], rank => Assert.Null(plan.Steps[rank].OldPod));
    }

    [Fact]
    public void Report_WithAWholeLogAndAClockThatIsAhead_IsCutAndOfNow()
    {
        var world = Started();
        var now = world.Now;
        world.Report(new Failure(FailureKind.HealthCheckFailed, new string('x', 2_000_000) + "\n", now + TimeSpan.FromHours(1))
        {
            Worker = new WorkerId("trainer", 2), StderrTail = new string('y', 2_000_000) + "last words", SeenBy = "dcgm\n",
        });
        world.Run(TimeSpan.FromSeconds(10));
        var cause = world.Events.OfType<RecoveryPlanned>().Last().Plan.Cause!;

        Assert.Equal((now, 1001, 4096, "dcgm"), (cause.At, cause.Evidence.Length, cause.StderrTail.Length, cause.SeenBy));
        Assert.EndsWith("last words", cause.StderrTail, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_NamesNothing_ConcernsTheGang()
    {
        var world = Started();
        world.Report(Of(world, FailureKind.HealthCheckFailed));
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.All(world.Events.OfType<RecoveryPlanned>().Last().Plan.Steps, s => Assert.Null(s.OldPod));
    }

    [Fact]
    public void Report_BeforeANewSupervisorHasSeenThePods_IsKeptUntilThen()
    {
        var world = Started();
        var sick = world.PodOf(2);
        sick.Faulty = true;
        world.ApiOutage(2000);
        world.CrashSupervisor(10);
        world.Run(TimeSpan.FromMilliseconds(12));
        Assert.False(world.State.Synced);
        world.Report(Of(world, FailureKind.NodeUnhealthy) with { Node = sick.Node!.Name });
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal((sick.Name, new WorkerId("trainer", 2)), (world.State.Plan!.Cause!.Pod, world.State.Plan.Cause.Worker!.Value));
        Assert.Single(world.Events.OfType<RecoveryPlanned>());
    }

    [Fact]
    public void Report_ConcernsNobody_IsLeftAsideAndExplained()
    {
        var world = Started();
        var unused = world.Nodes.First(n => world.Pods.Values.All(p => p.Node != n)).Name;
        Failure[] failures =
        [
            Of(world, FailureKind.HealthCheckFailed) with { Node = unused },
            Of(world, FailureKind.NodeUnhealthy) with { Node = "no-such-node" },
            Of(world, FailureKind.Killed) with { Pod = "llm-trainer-2-0" },
            Of(world, FailureKind.Killed) with { Worker = new WorkerId("trainer", 9) },
        ];
        foreach (var failure in failures)
        {
            var plan = GangMachine.Explain(world.State, failure, world.Now);
            Assert.Equal(RecoveryStrategy.Ignore, plan.Strategy);
            Assert.StartsWith("a report is left aside, since ", plan.Reason, StringComparison.Ordinal);
            world.Report(failure);
        }

        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.Empty(world.State.Quarantined);
        Assert.Equal(4, world.Events.Count(e => e is GangNotice { Text: var text } && text.Contains("left aside", StringComparison.Ordinal)));
    }

    [Fact]
    public void Report_NodeWithASpareOnly_IsAvoidedAndTheSpareReplaced()
    {
        var world = World.Running(Specs.Gang(4, 1).Build());
        var spare = Assert.Single(world.Pods.Values, p => p.Request.Worker is null);
        var failure = Of(world, FailureKind.NodeUnhealthy) with { Node = spare.Node!.Name };
        Assert.Equal($"no worker of the gang is on {spare.Node.Name}, and new Pods avoid it", GangMachine.Explain(world.State, failure, world.Now).Reason);
        world.Report(failure);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        var next = Assert.Single(world.Pods.Values, p => p.Request.Worker is null && !p.Deleting);
        Assert.NotEqual((spare.Name, spare.Node), (next.Name, next.Node));
        Assert.True(world.Record!.Quarantined.ContainsKey(spare.Node.Name));
    }

    [Fact]
    public void Report_NodeThatTheGangDoesNotUse_IsAvoidedByNewPods()
    {
        var world = World.Running(Specs.Gang(4).Build(), nodes: 5);
        var free = world.Nodes.Single(n => world.Pods.Values.All(p => p.Node != n));
        world.Report(Of(world, FailureKind.NodeUnhealthy) with { Node = free.Name });
        world.Run(TimeSpan.FromSeconds(1));

        Assert.Equal([free.Name], world.Record!.Quarantined.Keys);
        Assert.Contains(free.Name, GangMachine.Explain(world.State, Of(world, FailureKind.PodDeleted) with { Worker = new WorkerId("trainer", 1) }, world.Now).AvoidNodes);
    }

    /// <summary>The node itself says nothing, so its looks do not tell that this is over.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Report_SaysThatANodeIsAboutToGo_IsAvoidedThoughItLooksWell(bool used)
    {
        var world = World.Running(Specs.Gang(4).Build());
        var node = used ? world.PodOf(2).Node! : world.Nodes.First(n => world.Pods.Values.All(p => p.Node != n));
        if (used) world.PodOf(2).Faulty = true;
        world.Report(Of(world, FailureKind.NodeDraining) with { Node = node.Name });
        world.Run(TimeSpan.FromMinutes(2));

        Assert.Equal((Stage.Running, used ? 2 : 1), (world.State.Stage, world.State.Attempt));
        Assert.Equal([node.Name], Quarantine.Nodes(world.State, world.Now));
    }
}
