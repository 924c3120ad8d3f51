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
    public void Report_ConcernsNobody_IsLeftAsideAndExplained()
    {
        var world = Started();
        var unused = world.Nodes.First(n => world.Pods.Values.All(p => p.Node != n)).Name;
        Failure[] failures =
        [
            Of(world, FailureKind.NodeLost) with { Node = unused },
            Of(world, FailureKind.Killed) with { Pod = "llm-trainer-2-0" },
            Of(world, FailureKind.Killed) with { Worker = new WorkerId("trainer", 9) },
        ];
        foreach (var failure in failures)
        {
            Assert.Equal((RecoveryStrategy.Ignore, "it concerns no worker that the gang has now"), (GangMachine.Explain(world.State, failure, world.Now).Strategy, GangMachine.Explain(world.State, failure, world.Now).Reason));
            world.Report(failure);
        }

        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.Equal(3, world.Events.Count(e => e is GangNotice { Text: var text } && text.Contains("left aside", StringComparison.Ordinal)));
    }
}
