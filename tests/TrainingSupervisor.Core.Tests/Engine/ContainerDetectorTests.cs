using System.Collections.Immutable;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>The worker's container has ended with the agent in it, and its Pod goes on with another container of the user's.</summary>
public sealed class ContainerDetectorTests
{
    private const string Victim = "RestartingAllContainers";

    private static World Started() => World.Running(Specs.Gang(3).Build());

    private static PodObservation WithLogShipper(SimPod pod, int code, string reason = "Error", ContainerState helper = ContainerState.Running) => pod.Observe() with
    {
        RestartsInPlace = true,
        WorkerContainer = "worker",
        Containers = Containers(new() { Name = "worker", State = ContainerState.Terminated, Reason = reason, ExitCode = code }, helper),
    };

    private static ImmutableArray<ContainerObservation> Containers(ContainerObservation worker, ContainerState helper) =>
        [worker, new ContainerObservation { Name = "log-shipper", State = helper }];

    private static void Silence(World world, SimPod pod)
    {
        pod.Faulty = true;
        world.Disconnect(pod);
    }

    [Theory]
    [Sees(FailureKind.Killed, FailureKind.ApplicationError, FailureKind.OutOfMemory)]
    [InlineData(143, "Error", FailureKind.Killed)]
    [InlineData(137, "OOMKilled", FailureKind.OutOfMemory)]
    [InlineData(1, "Error", FailureKind.ApplicationError)]
    [InlineData(0, "Completed", FailureKind.ApplicationError)]
    public void Step_OnlyTheWorkersContainerHasEnded_ItsWorkerGetsAnotherPodSoon(int code, string reason, FailureKind kind)
    {
        var world = Started();
        var pod = world.PodOf(1);
        var at = world.Now;
        Silence(world, pod);
        world.Tell(new PodSeen(WithLogShipper(pod, code, reason)));
        world.Run(TimeSpan.FromSeconds(15));
        var plan = world.Events.OfType<RecoveryPlanned>().First(p => p.Plan.Attempt == 2).Plan;

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal((kind, pod.Name, "pod status"), (plan.Cause!.Kind, plan.Cause.Pod, plan.Cause.SeenBy));
        Assert.EndsWith("its Pod goes on with container log-shipper", plan.Cause.Evidence, StringComparison.Ordinal);
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
        Assert.InRange(plan.Decided - at, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(6.2));
    }

    [Fact]
    public void Step_AnotherWorkerFailsBeforePatienceIsOver_ItIsNotRestartedInPlace()
    {
        var world = Started();
        var pod = world.PodOf(1);
        Silence(world, pod);
        world.Run(TimeSpan.FromSeconds(4));
        world.Tell(new PodSeen(WithLogShipper(pod, 137)));
        world.Exit(world.PodOf(2), 3);
        world.Run(TimeSpan.FromSeconds(15));
        var plan = world.Events.OfType<RecoveryPlanned>().First(p => p.Plan.Attempt == 2).Plan;

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
    }

    [Fact]
    public void Step_ItsPodEndsWithAReasonOfItsOwnALittleLater_IsThatReason()
    {
        var world = Started();
        var pod = world.PodOf(1);
        Silence(world, pod);
        world.Tell(new PodSeen(WithLogShipper(pod, 137)));
        world.Run(TimeSpan.FromSeconds(2.5));
        world.Tell(new PodSeen(WithLogShipper(pod, 137, helper: ContainerState.Terminated) with { Phase = PodPhase.Failed, Reason = "Evicted", Message = "The node was low on resource: memory." }));
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal(FailureKind.Evicted, Assert.Single(world.Events.OfType<FailureDetected>()).Failure.Kind);
    }

    [Theory]
    [LeavesAlone(FailureKind.Killed, FailureKind.ApplicationError, FailureKind.OutOfMemory)]
    [InlineData(RestartDetector.RestartExitCode, "Error", false, false)] // Our own restart, not begun yet.
    [InlineData(137, Victim, true, false)]
    [InlineData(137, Victim, false, false)]
    [InlineData(137, "Error", false, true)] // Its agent is back already: the status is of before.
    public void Step_ContainerEndsInARestart_IsNothing(int code, string reason, bool restarting, bool connected)
    {
        var world = Started();
        var pod = world.PodOf(1);
        if (!connected) Silence(world, pod);
        world.Tell(new PodSeen(WithLogShipper(pod, code, reason) with { AllContainersRestarting = restarting }));
        world.Run(TimeSpan.FromSeconds(4.5));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.DoesNotContain(world.Events, e => e is FailureDetected);
    }

    [Fact]
    [LeavesAlone(FailureKind.Killed)]
    public void Step_ContainerRunsAgainBeforePatienceIsOver_IsNothing()
    {
        var world = Started();
        var pod = world.PodOf(1);
        Silence(world, pod);
        for (var i = 0; i < 2; i++)
        {
            world.Tell(new PodSeen(WithLogShipper(pod, 137)));
            world.Run(TimeSpan.FromSeconds(2));
            world.Tell(new PodSeen(WithLogShipper(pod, 0) with { Containers = Containers(new() { Name = "worker", State = ContainerState.Running }, ContainerState.Running) }));
            world.Run(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.DoesNotContain(world.Events, e => e is FailureDetected);
    }
}
