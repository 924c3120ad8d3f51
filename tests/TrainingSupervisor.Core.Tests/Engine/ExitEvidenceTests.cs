using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>What a person reads of a worker's end, or of one that is not well.</summary>
public sealed class ExitEvidenceTests
{
    private static readonly GangState Running = new() { Spec = Specs.Gang().Build(), Stage = Stage.Running, Attempt = 3 };

    [Theory]
    [Sees(FailureKind.HealthCheckFailed)]
    [InlineData(UnhealthySource.Worker, "worker", "the worker says: bad")]
    [InlineData(UnhealthySource.HealthCommand, "health command", "the health command bad")]
    [InlineData(UnhealthySource.LogPattern, "log pattern", "on its stderr: bad")]
    public void Find_AnUnhealthyWorker_SaysHowItWasSeen(object source, string seenBy, string evidence)
    {
        var failure = Find(Pod(AgentPhase.Running) with { Progress = new ProgressObservation(3, 5, 0, "", "bad") { UnhealthyBy = (UnhealthySource)source } })!;

        Assert.Equal((FailureKind.HealthCheckFailed, seenBy, evidence), (failure.Kind, failure.SeenBy, failure.Evidence));
    }

    [Fact]
    [LeavesAlone(FailureKind.HealthCheckFailed)]
    public void Find_WordsOfAnotherAttemptOrOfAWorkerThatDoesNotRun_IsNothing()
    {
        Assert.Null(Find(Pod(AgentPhase.Running) with { Progress = new ProgressObservation(2, 5, 0, "", "bad") }));
        Assert.Null(Find(Pod(AgentPhase.Waiting) with { Progress = new ProgressObservation(3, 5, 0, "", "bad") }));
        Assert.Null(Find(Pod(AgentPhase.Running) with { Progress = new ProgressObservation(3, 5, 0, "", "") }));
    }

    [Theory]
    [Sees(FailureKind.ApplicationError, FailureKind.Killed)]
    [InlineData(1, 0, "Traceback:\n  File x\nValueError: bad\n", FailureKind.ApplicationError, "exit code 1, ValueError: bad")]
    [InlineData(1, 0, " 50%|##  |\r 51%|##  |\r", FailureKind.ApplicationError, "exit code 1, 51%|##  |")]
    [InlineData(1, 0, "", FailureKind.ApplicationError, "exit code 1")]
    [InlineData(139, 0, "", FailureKind.ApplicationError, "exit code 139 = 128 + 11 (SIGSEGV)")]
    [InlineData(139, 11, "", FailureKind.Killed, "ended by signal 11 (SIGSEGV)")]
    [InlineData(200, 0, "", FailureKind.ApplicationError, "exit code 200")]
    [InlineData(134, 6, "terminate called\nabort: bad\n", FailureKind.Killed, "ended by signal 6 (SIGABRT), abort: bad")]
    public void Find_AnExit_SaysCodeSignalAndLastLine(int code, int signal, string tail, FailureKind kind, string evidence)
    {
        var failure = Find(Pod(AgentPhase.Exited, new WorkerExit { Code = code, Signal = signal, StderrTail = tail }))!;

        Assert.Equal((kind, evidence, tail), (failure.Kind, failure.Evidence, failure.StderrTail));
    }

    [Theory]
    [Sees(FailureKind.ApplicationError, FailureKind.Killed)]
    [InlineData(0, 10800, FailureKind.ApplicationError, "exit code 1, bad; the kernel's OOM killer ended a process of its container 3h before")]
    [InlineData(9, 11159.2, FailureKind.Killed, "ended by signal 9 (SIGKILL), bad; the kernel's OOM killer ended a process of its container 3h5m before")]
    [InlineData(0, 1000.2, FailureKind.ApplicationError, "exit code 1, bad; the kernel's OOM killer ended a process of its container 16m41s before")]
    public void Find_AnExitLongAfterAnOomKill_IsOfItsOwnKindAndTellsOfIt(int signal, double seconds, FailureKind kind, string evidence)
    {
        var exit = new WorkerExit { Code = signal > 0 ? 128 + signal : 1, Signal = signal, StderrTail = "bad\n", OomKillBefore = TimeSpan.FromSeconds(seconds) };

        var failure = Find(Pod(AgentPhase.Exited, exit))!;

        Assert.Equal((kind, evidence), (failure.Kind, failure.Evidence));
    }

    [Fact]
    [Sees(FailureKind.StartError)]
    public void Find_CommandThatCannotBeStarted_SaysWhy()
    {
        var failure = Find(Pod(AgentPhase.Exited, new WorkerExit { Code = 127, NotStarted = true, StderrTail = "train: No such file or directory" }))!;

        Assert.Equal((FailureKind.StartError, "the command cannot be started: train: No such file or directory", 127), (failure.Kind, failure.Evidence, failure.ExitCode));
    }

    [Fact]
    [LeavesAlone(FailureKind.ApplicationError, FailureKind.Killed)]
    public void Find_EndWithZeroOrOfAnOlderAttempt_IsNothing()
    {
        Assert.Null(Find(Pod(AgentPhase.Exited, new WorkerExit())));
        var killed = Pod(AgentPhase.Exited, new WorkerExit { Code = 137, Signal = 9 });
        Assert.NotNull(Find(killed));
        Assert.Null(Find(killed with { Agent = killed.Agent! with { Attempt = 2 } }));
        Assert.Null(Find(killed with { Connected = false }));
    }

    [Theory]
    [InlineData(143)]
    [InlineData(0)]
    public void Find_AnEndWithItsPod_IsNeitherAFailureNorASuccess(int code)
    {
        var pod = Pod(AgentPhase.Exited, new WorkerExit { Code = code, Signal = code > 128 ? code - 128 : 0, PodEnding = true });

        Assert.Null(Find(pod));
        Assert.False(pod.Finished(3));
    }

    private static Failure? Find(PodState pod) => ExitDetector.Find(new GangDraft(Running, DateTimeOffset.UnixEpoch), pod);

    private static PodState Pod(AgentPhase phase, WorkerExit? exit = null) => new()
    {
        Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Uid = "u", Connected = true,
        Target = 3,
        Agent = new AgentObservation { Instance = "i", Phase = phase, Attempt = 3, Exit = exit },
    };
}
