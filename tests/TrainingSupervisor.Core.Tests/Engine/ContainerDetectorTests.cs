using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>The worker's container has ended, and its Pod goes on with another container of the user's.</summary>
public sealed class ContainerDetectorTests
{
    private static World Started()
    {
        var world = new World(1, Specs.Gang(3).Build(), 6);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal((GangPhase.Running, Stage.Running, 1), (world.State.Phase, world.State.Stage, world.State.Attempt));
        return world;
    }

    private static PodSeen WithLogShipper(SimPod pod, int code) => new(pod.Observe() with
    {
        RestartsInPlace = true,
        WorkerContainer = "worker",
        Containers =
        [
            new ContainerObservation { Name = "worker", State = ContainerState.Terminated, Reason = "Error", ExitCode = code },
            new ContainerObservation { Name = "log-shipper", State = ContainerState.Running },
        ],
    });

    [Theory]
    [Sees(FailureKind.Killed, FailureKind.ApplicationError)]
    [InlineData(143, FailureKind.Killed)]
    [InlineData(1, FailureKind.ApplicationError)]
    public void Step_OnlyTheWorkersContainerHasEnded_ItsWorkerGetsAnotherPodAtOnce(int code, FailureKind kind)
    {
        var world = Started();
        var pod = world.PodOf(1);
        pod.Faulty = true;
        var at = world.Now;
        world.Tell(WithLogShipper(pod, code));
        world.Run(TimeSpan.FromSeconds(10));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal((kind, pod.Name, "pod status"), (plan.Cause!.Kind, plan.Cause.Pod, plan.Cause.SeenBy));
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
        Assert.True(plan.Decided - at < TimeSpan.FromSeconds(1));
    }

    [Theory]
    [LeavesAlone(FailureKind.Killed, FailureKind.ApplicationError)]
    [InlineData(RestartDetector.RestartExitCode, false)]
    [InlineData(0, false)]
    [InlineData(137, true)]
    public void Step_ContainerEndsInARestartOfAllOrWell_IsNothing(int code, bool restarting)
    {
        var world = Started();
        var seen = WithLogShipper(world.PodOf(1), code);
        world.Tell(restarting ? seen with { Pod = seen.Pod with { AllContainersRestarting = true, Containers = [seen.Pod.Containers[0] with { Reason = "RestartingAllContainers" }, seen.Pod.Containers[1]] } } : seen);
        world.Run(TimeSpan.FromMilliseconds(500));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        Assert.DoesNotContain(world.Events, e => e is FailureDetected);
    }
}
