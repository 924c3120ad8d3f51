using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>What a Pod's status means, and what a person reads of it. That real statuses look like these: RecordedRestartTests.</summary>
public sealed class PodDetectorTests
{
    private static readonly GangState Running = new() { Spec = Specs.Gang().Build(), Stage = Stage.Running, Attempt = 3 };

    [Theory]
    [Sees(FailureKind.ImageUnavailable, FailureKind.InvalidPod)]
    [InlineData("ImagePullBackOff", FailureKind.ImageUnavailable)]
    [InlineData("ErrImageNeverPull", FailureKind.ImageUnavailable)]
    [InlineData("InvalidImageName", FailureKind.ImageUnavailable)]
    [InlineData("CreateContainerConfigError", FailureKind.InvalidPod)]
    public void Find_WaitingForWhatWillNotCome_SaysKubernetesOwnMessage(string reason, FailureKind kind)
    {
        var failure = Find(Status(new ContainerObservation { Name = "worker", Reason = reason, Message = "no such thing: x" }))!;

        Assert.Equal((kind, "pod status", $"container worker: {reason}: no such thing: x", "node-1"), (failure.Kind, failure.SeenBy, failure.Evidence, failure.Node));
    }

    [Theory]
    [LeavesAlone(FailureKind.ImageUnavailable, FailureKind.InvalidPod)]
    [InlineData("ContainerCreating")]
    [InlineData("PodInitializing")]
    [InlineData("RestartingAllContainers")]
    [InlineData("ErrImagePull")]
    [InlineData(null)]
    public void Find_WaitingForWhatMayYetCome_IsNothing(string? reason) =>
        Assert.Null(Find(Status(new ContainerObservation { Name = "worker", Reason = reason, Message = "wait" })));

    [Theory]
    [Sees(FailureKind.OutOfMemory, FailureKind.StartError)]
    [InlineData("Error", 1, "Traceback\nValueError: bad\n", FailureKind.ApplicationError, null, "container worker: exit code 1, ValueError: bad")]
    [InlineData("Error", 139, "", FailureKind.Killed, 11, "container worker: ended by signal 11 (SIGSEGV)")]
    [InlineData("OOMKilled", 137, "", FailureKind.OutOfMemory, 9, "container worker: OOMKilled, exit code 137; container worker has no memory limit: the node's memory was full")]
    [InlineData("StartError", 128, "exec: no such file", FailureKind.StartError, null, "container worker: StartError: exec: no such file")]
    public void Find_ContainerEnded_SaysCodeSignalAndLastLine(string reason, int code, string message, FailureKind kind, int? signal, string evidence)
    {
        var failure = Find(Ended(Container(code, reason, message)))!;

        Assert.Equal((kind, evidence, code, signal, message), (failure.Kind, failure.Evidence, failure.ExitCode, failure.Signal, failure.StderrTail));
    }

    [Theory]
    [LeavesAlone(FailureKind.OutOfMemory, FailureKind.StartError, FailureKind.Killed)]
    [InlineData("Error", 137, FailureKind.Killed)]
    [InlineData("Error", 127, FailureKind.ApplicationError)]
    [InlineData("Error", 128, FailureKind.ApplicationError)]
    [InlineData("Error", 255, FailureKind.ApplicationError)]
    public void Find_CodesThatLookLikeIt_AreWhatTheReasonSays(string reason, int code, FailureKind kind) =>
        Assert.Equal(kind, Find(Ended(Container(code, reason, "")))!.Kind);

    [Theory]
    [Sees(FailureKind.Evicted, FailureKind.Preempted)]
    [InlineData("PreemptionByScheduler", FailureKind.Preempted)]
    [InlineData("EvictionByEvictionAPI", FailureKind.Evicted)]
    [InlineData("DeletionByTaintManager", FailureKind.Evicted)]
    [InlineData("TerminationByKubelet", FailureKind.Evicted)]
    public void Find_DisruptionTarget_SaysItsReasonAndMessage(string reason, FailureKind kind)
    {
        var failure = Find(Status(Works) with { DisruptionReason = reason, DisruptionMessage = "make room" })!;

        Assert.Equal((kind, $"{reason}: make room"), (failure.Kind, failure.Evidence));
    }

    [Theory]
    [Sees(FailureKind.Evicted, FailureKind.Preempted)]
    [InlineData("Evicted", FailureKind.Evicted)]
    [InlineData("Terminated", FailureKind.Evicted)]
    [InlineData("DeadlineExceeded", FailureKind.Evicted)]
    [InlineData("UnexpectedAdmissionError", FailureKind.Evicted)]
    [InlineData("Preempting", FailureKind.Preempted)]
    public void Find_KubeletEndsThePod_SaysWhyAndNotWhatItsContainersEndedWith(string reason, FailureKind kind)
    {
        foreach (var containers in new ContainerObservation[][] { [Container(137, "Error", "")], [Container(0, "Completed", "")], [] })
        {
            var failure = Find(Ended(containers) with { Reason = reason, Message = "the node says no" })!;
            Assert.Equal((kind, $"{reason}: the node says no"), (failure.Kind, failure.Evidence));
        }
    }

    [Fact]
    [Sees(FailureKind.OutOfMemory)]
    public void Find_HelperThatEndsBadlyBesideTheWorker_DoesNotSpeakForIt()
    {
        // The status has containers by name and not in the order of the spec.
        var helper = Container(1, "Error", "the process to watch is gone") with { Name = "exporter" };
        var failure = Find(Ended(helper, Container(137, "OOMKilled", "")) with { WorkerContainer = "worker" })!;

        Assert.Equal((FailureKind.OutOfMemory, 137), (failure.Kind, failure.ExitCode));
        Assert.StartsWith("container exporter: exit code 1", Find(Ended(helper, Container(0, "Completed", "")) with { WorkerContainer = "worker" })!.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    [LeavesAlone(FailureKind.Evicted, FailureKind.Preempted)]
    public void Find_FailedPodWithoutAReasonOfItsOwn_IsItsContainersEnd() =>
        Assert.Equal(FailureKind.ApplicationError, Find(Ended(Container(3, "Error", "")))!.Kind);

    [Fact]
    [Sees(FailureKind.PodDeleted)]
    public void Find_DeletedByOthers_IsSeenBeforeAndAfterItIsGone()
    {
        Assert.Equal((FailureKind.PodDeleted, "the Pod is being deleted by someone else"), Of(Find(Status(Works) with { Deleting = true })));
        Assert.Equal((FailureKind.PodDeleted, "the Pod was deleted by someone else"), Of(PodDetector.Find(Draft, State(Status(Works)) with { Gone = true })));

        static (FailureKind, string) Of(Failure? failure) => (failure!.Kind, failure.Evidence);
    }

    [Fact]
    [LeavesAlone(FailureKind.PodDeleted, FailureKind.Evicted)]
    public void Find_PodOfAWorkerThatIsDone_MayGo()
    {
        var done = State(Status(Works) with { Deleting = true, DisruptionReason = "EvictionByEvictionAPI" }) with
        {
            Agent = new AgentObservation { Instance = "i", Phase = AgentPhase.Exited, Attempt = 3, Exit = new WorkerExit() },
        };

        Assert.Null(PodDetector.Find(Draft, done));
        Assert.NotNull(PodDetector.Find(Draft, done with { Target = 4 }));
    }

    [Theory]
    [Sees(FailureKind.OutOfMemory)]
    [InlineData("worker", "80Gi", "96Gi", "memory limit 80Gi of container worker")]
    [InlineData("helper", "1Gi", "96Gi", "memory limit 96Gi of the whole Pod")]
    [InlineData("helper", "1Gi", null, "container worker has no memory limit: the node's memory was full")]
    public void Find_OutOfMemory_NamesTheLimitHoweverItWasSeen(string container, string limit, string? shared, string words)
    {
        var pod = Ended(Container(137, "OOMKilled", "")) with { WorkerContainer = "worker", MemoryLimits = [new ContainerMemory(container, limit)], MemoryLimit = shared };
        Assert.EndsWith(words, Find(pod)!.Evidence, StringComparison.Ordinal);

        var told = State(pod) with
        {
            Connected = true,
            Agent = new AgentObservation { Instance = "i", Phase = AgentPhase.Exited, Attempt = 3, Exit = new WorkerExit { Code = 1, OutOfMemory = true, StderrTail = "a child was killed\n" } },
        };
        var failure = ExitDetector.Find(Draft, told)!;
        Assert.Equal((FailureKind.OutOfMemory, $"the kernel's OOM killer ended it or a child of it, exit code 1, a child was killed; {words}"), (failure.Kind, failure.Evidence));
    }

    private static GangDraft Draft => new(Running, DateTimeOffset.UnixEpoch);

    private static ContainerObservation Works => new() { Name = "worker", State = ContainerState.Running };

    private static ContainerObservation Container(int code, string reason, string message) =>
        new() { Name = "worker", State = ContainerState.Terminated, ExitCode = code, Reason = reason, Message = message };

    private static PodObservation Status(params ContainerObservation[] containers) =>
        new() { Name = "llm-trainer-0-1", Uid = "u", Role = "trainer", Node = "node-1", Phase = PodPhase.Running, Containers = [.. containers] };

    private static PodObservation Ended(params ContainerObservation[] containers) => Status(containers) with { Phase = PodPhase.Failed };

    private static PodState State(PodObservation pod) =>
        new() { Name = pod.Name, Uid = pod.Uid, Role = pod.Role, Worker = new WorkerId("trainer", 0), Node = pod.Node, Pod = pod, Target = 3 };

    private static Failure? Find(PodObservation pod) => PodDetector.Find(Draft, State(pod));
}
