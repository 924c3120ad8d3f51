using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class RestartDetectorTests
{
    [Fact]
    public void Step_OthersRestartSeen_CauseIsTheContainerThatEnded()
    {
        var world = Started();
        world.RestartByOthers(world.PodOf(1), 42, seen: true);
        world.Run(TimeSpan.FromSeconds(5));

        var cause = world.Events.OfType<RecoveryPlanned>().Last().Plan.Cause!;
        Assert.Equal((FailureKind.ApplicationError, 42, new WorkerId("trainer", 1)), (cause.Kind, cause.ExitCode!.Value, cause.Worker!.Value));
        Assert.Contains("container helper", cause.Evidence, StringComparison.Ordinal);
        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    [Sees(FailureKind.UnorderedRestart)]
    public void Step_OthersRestartMissed_CauseIsUnknownAndNotInvented()
    {
        var world = Started();
        world.RestartByOthers(world.PodOf(1), 42, seen: false);
        world.Run(TimeSpan.FromSeconds(5));

        var cause = world.Events.OfType<RecoveryPlanned>().Last().Plan.Cause!;
        Assert.Equal((FailureKind.UnorderedRestart, (int?)null), (cause.Kind, cause.ExitCode));
        Assert.Contains("cause unknown", cause.Evidence, StringComparison.Ordinal);
        Assert.Contains("restart count 1", cause.Evidence, StringComparison.Ordinal);
        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    [LeavesAlone(FailureKind.UnorderedRestart)]
    public void Step_RestartsThatWeOrdered_AreNoFailure()
    {
        var world = Started();
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(5));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.All(world.Pods.Values, p => Assert.Equal(1, p.Restarts + p.Instance - 1));
        Assert.DoesNotContain(world.Events, e => e is FailureDetected { Failure.Kind: FailureKind.UnorderedRestart });
    }

    [Fact]
    public void CauseIn_RestartOfOurs_IsNone()
    {
        Assert.Null(RestartDetector.CauseIn(Status(true, Ended("worker", RestartDetector.RestartExitCode, "Error"))));
        Assert.Null(RestartDetector.CauseIn(Status(true, Ended("helper", 137, "Error"), Ended("worker", RestartDetector.RestartExitCode, "Error"))));
    }

    [Fact]
    public void CauseIn_OnlyVictims_IsNone()
    {
        Assert.Null(RestartDetector.CauseIn(Status(true, Ended("worker", 137, "RestartingAllContainers"))));
        Assert.Null(RestartDetector.CauseIn(Status(false, Ended("worker", 137, "OOMKilled"))));
    }

    [Fact]
    public void CauseIn_FinishedInitContainerBesideTheTrigger_IsTheTrigger()
    {
        var init = Ended("init", 0, "Completed") with { Initial = true };
        Assert.Equal("helper", RestartDetector.CauseIn(Status(true, init, Ended("helper", 0, "Completed")))!.Name);
        Assert.Equal("helper", RestartDetector.CauseIn(Status(true, init, Ended("helper", 137, "OOMKilled")))!.Name);
    }

    [Fact]
    public void Step_VictimsAfterTheCause_DoNotOverwriteIt()
    {
        var world = Started();
        var pod = world.PodOf(1);
        var status = pod.Observe();
        var state = world.State;
        state = GangMachine.Step(state, [new PodSeen(status with { AllContainersRestarting = true, Containers = [Ended("helper", 137, "OOMKilled")] })], world.Now).State;
        state = GangMachine.Step(state, [new PodSeen(status with { AllContainersRestarting = true, Containers = [Ended("worker", 137, "RestartingAllContainers")] })], world.Now).State;
        state = GangMachine.Step(state, [new PodSeen(status with { Phase = PodPhase.Pending })], world.Now).State;

        Assert.Equal(("helper", "OOMKilled"), (state.Pods[pod.Name].RestartCause!.Name, state.Pods[pod.Name].RestartCause!.Reason));
        Assert.Empty(state.Failures);
    }

    [Fact]
    public void Step_WatchTellsLateOfARestartThatIsOver_ItIsNoCauseOfWhatComesLater()
    {
        var world = Started();
        var pod = world.PodOf(1);
        var status = pod.Observe();
        var known = world.State.Pods[pod.Name];
        var state = world.State;
        state = GangMachine.Step(state, [new PodSeen(status with { AllContainersRestarting = true, Containers = [Ended("helper", 7, "Error")] })], world.Now).State;
        state = GangMachine.Step(state, [new PodSeen(status)], world.Now).State;
        state = GangMachine.Step(state, [new ProgressSeen(pod.Name, known.Uid!, new ProgressObservation(1, 7, 0, "", ""))], world.Now).State;
        state = GangMachine.Step(state, [new AgentGone(pod.Name, known.Uid!, known.Agent!.Instance, world.Now)], world.Now).State;

        Assert.Equal((Stage.Running, 1), (state.Stage, state.Attempt));
        Assert.Empty(state.Failures);
    }

    private static World Started() => World.Running(Specs.Gang().Build());

    private static ContainerObservation Ended(string name, int code, string reason) =>
        new() { Name = name, State = ContainerState.Terminated, ExitCode = code, Reason = reason };

    private static PodObservation Status(bool restarting, params ContainerObservation[] containers) =>
        new() { Name = "p", Uid = "u", Role = "trainer", Phase = PodPhase.Running, AllContainersRestarting = restarting, Containers = [.. containers] };
}
