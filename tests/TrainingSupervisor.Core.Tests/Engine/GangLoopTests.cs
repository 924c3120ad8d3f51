using NSubstitute;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>What becomes of inputs and effects around the machine, and when the loop ends.</summary>
public sealed class GangLoopTests
{
    [Fact]
    public async Task RunAsync_InputsThatAreThere_AreOneStep()
    {
        var rig = LoopRig.OfRunning();
        foreach (var name in new[] { "a", "b", "c" }) rig.Loop.Post(LoopRig.Mark(name));
        rig.Start();
        var first = await rig.MarkedAsync("a");

        Assert.Same(first, await rig.MarkedAsync("b"));
        Assert.Same(first, await rig.MarkedAsync("c"));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_InputsThatComeDuringAStep_AreTheNext()
    {
        var rig = LoopRig.OfRunning();
        rig.OnTold = e =>
        {
            if (!LoopRig.IsMark(e, "a")) return;
            rig.Loop.Post(LoopRig.Mark("b"));
            rig.Loop.Post(LoopRig.Mark("c"));
        };
        rig.Loop.Post(LoopRig.Mark("a"));
        rig.Start();
        var first = await rig.MarkedAsync("a");
        var second = await rig.MarkedAsync("b");

        Assert.NotSame(first, second);
        Assert.Same(second, await rig.MarkedAsync("c"));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_NothingComes_WakesWhenTheMachineAsksFor()
    {
        var rig = LoopRig.OfRunning();
        rig.Start();
        rig.Loop.Post(Failed(rig, 0));
        await rig.ToldAsync<FailureDetected>();

        Assert.Equal(TimeSpan.FromMilliseconds(51), await rig.Clock.ArmedAsync());
        rig.Clock.Advance(TimeSpan.FromMilliseconds(51));
        Assert.Equal(2, (await rig.ToldAsync<RecoveryPlanned>()).Event.Plan.Attempt);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_NewGang_WritesItsRecordBeforeAnyPod()
    {
        var rig = LoopRig.OfNew(workers: 2);
        rig.Start();

        Assert.Equal(1, (await rig.CalledAsync<GangRecord>()).Attempt);
        string[] created = [(await rig.CalledAsync<CreatePod>()).Request.Name, (await rig.CalledAsync<CreatePod>()).Request.Name];
        Assert.Equal(["llm-trainer-0-1", "llm-trainer-1-1"], created.Order());
        await rig.EndAsync();
    }

    [Theory]
    [InlineData(nameof(IGangAgents.Restart))]
    [InlineData(nameof(IGangAgents.Quiesce))]
    [InlineData(nameof(IGangAgents.Release))]
    [InlineData(nameof(IGangAgents.Tell))]
    [InlineData(nameof(IGangAgents.Run))]
    [InlineData(nameof(IGangAgents.Halt))]
    public async Task RunAsync_EffectForAgents_IsHandedToThem(string method)
    {
        var (state, now) = LoopStates.BeforeAgents(method);
        var expected = GangMachine.Step(state, [new Tick()], now).Effects.Where(e => LoopStates.MethodOf(e) == method).Select(e => e.ToString()).ToList();
        Assert.NotEmpty(expected);
        var rig = new LoopRig(state, now);
        rig.Loop.Post(LoopRig.Mark("done"));
        rig.Start();
        await rig.MarkedAsync("done");

        Assert.Equal(expected, rig.Agents.ReceivedCalls().Where(c => c.GetMethodInfo().Name == method).Select(c => c.GetArguments()[0]!.ToString()));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_ReleaseHandedOver_IsSaidToTheMachine()
    {
        var (state, now) = LoopStates.BeforeAgents(nameof(IGangAgents.Release));
        var rig = new LoopRig(state with { Timing = new RecoveryTiming(now, now, now, now, now, now, null, null) }, now);
        rig.OnTold = e =>
        {
            if (LoopRig.IsMark(e, "a")) rig.Loop.Post(LoopRig.Mark("b"));
        };
        rig.Loop.Post(LoopRig.Mark("a"));
        rig.Start();

        Assert.Equal(now, (await rig.MarkedAsync("b")).Timing!.ReleaseSent);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_PodThatWasReplaced_IsDeletedByItsUid()
    {
        var (state, now) = LoopStates.BeforeAgents(nameof(IGangAgents.Halt));
        var rig = new LoopRig(state, now);
        rig.Start();

        Assert.Equal(new DeletePod("old", "uid-old", Force: false), await rig.CalledAsync<DeletePod>());
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_NodeInQuarantine_IsMarked()
    {
        var (state, now) = LoopStates.Running(more: g => g.WithQuarantine(TimeSpan.FromHours(1), taintNodes: true));
        var rig = new LoopRig(state with { Quarantined = state.Quarantined.Add("node-7", new QuarantinedNode("Hang", now, now.AddHours(1), 1)) }, now);
        rig.Start();

        Assert.Equal(new MarkNode("node-7", Quarantined: true), await rig.CalledAsync<MarkNode>());
        await rig.EndAsync();
    }

    /// <summary>Also with what nobody foresaw.</summary>
    public static TheoryData<Exception> Errors { get; } = [new SupervisorException("quota exceeded"), new InvalidOperationException("quota exceeded"), new TaskCanceledException("quota exceeded")];

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task RunAsync_CallFails_IsSaidToTheMachine(Exception error)
    {
        var rig = LoopRig.OfNew(workers: 1);
        rig.AnswerTo<CreatePod>(Task.FromException(error));
        rig.Start();
        await rig.ToldAsync<GangNotice>(n => n.Text == "CreatePod failed: quota exceeded");

        rig.Answer = _ => Task.CompletedTask;
        await rig.Clock.ArmedAsync(PodKeeper.Retry + TimeSpan.FromMilliseconds(1));
        await rig.CalledAsync<GangRecord>();
        var first = await rig.CalledAsync<CreatePod>();
        rig.Clock.Advance(PodKeeper.Retry + TimeSpan.FromMilliseconds(1));
        Assert.Equal(first.Request.Name, (await rig.CalledAsync<CreatePod>()).Request.Name);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_CallIsRefused_IsFatal()
    {
        var rig = LoopRig.OfNew(workers: 1);
        rig.AnswerTo<CreatePod>(Task.FromException(new RejectedException("spec.containers: Required value")));
        rig.Start();
        var (found, _) = await rig.ToldAsync<FailureDetected>();

        Assert.Equal((FailureKind.InvalidPod, "spec.containers: Required value"), (found.Failure.Kind, found.Failure.Evidence));
        await rig.Running.WaitAsync(LoopRig.Patience);
        Assert.Equal(GangPhase.Failed, rig.Loop.State.Phase);
        await rig.Loop.DisposeAsync();
    }

    [Fact]
    public async Task RunAsync_SavesWhileOneIsUnderWay_AreOneWriteOfTheLast()
    {
        var rig = LoopRig.OfRunning(spares: 5);
        var first = new TaskCompletionSource();
        rig.AnswerTo<GangRecord>(first.Task);
        rig.Start();
        var serial = await LoseSpareAsync(rig);
        Assert.Equal(serial + 1, (await rig.CalledAsync<GangRecord>()).SpareSerials["trainer"]);
        for (var i = 1; i <= 3; i++) Assert.Equal(serial + i, await LoseSpareAsync(rig));
        rig.Answer = _ => Task.CompletedTask;
        first.SetResult();

        Assert.Equal(serial + 4, (await NextRecordAsync(rig)).SpareSerials["trainer"]);
        await LoseSpareAsync(rig);
        Assert.Equal(serial + 5, (await NextRecordAsync(rig)).SpareSerials["trainer"]);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_SaveFails_IsTriedAgainAfterGrowingWaits()
    {
        var rig = LoopRig.OfNew();
        rig.AnswerTo<GangRecord>(Task.FromException(new SupervisorException("503")));
        rig.Start();
        foreach (var seconds in new[] { 1, 2, 4, 8, 15, 15 })
        {
            await rig.CalledAsync<GangRecord>();
            await rig.ToldAsync<GangNotice>(n => n.Text == "SaveRecord failed: 503");
            await rig.Clock.ArmedAsync(TimeSpan.FromSeconds(seconds));
            rig.Clock.Advance(TimeSpan.FromSeconds(seconds));
        }

        await rig.CalledAsync<GangRecord>();
        await rig.Clock.ArmedAsync(TimeSpan.FromSeconds(15));
        rig.Answer = _ => Task.CompletedTask;
        rig.Clock.Advance(TimeSpan.FromSeconds(15));
        await rig.CalledAsync<GangRecord>();
        await rig.CalledAsync<CreatePod>();
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_SaveFailsAndAnotherComes_WritesThatOneInstead()
    {
        var rig = LoopRig.OfRunning(spares: 5);
        rig.AnswerTo<GangRecord>(Task.FromException(new SupervisorException("503")));
        rig.Start();
        var serial = await LoseSpareAsync(rig);
        await rig.CalledAsync<GangRecord>();
        await rig.Clock.ArmedAsync(TimeSpan.FromSeconds(1));
        await LoseSpareAsync(rig);
        rig.Answer = _ => Task.CompletedTask;
        rig.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(serial + 2, (await rig.CalledAsync<GangRecord>()).SpareSerials["trainer"]);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_AnotherHasWrittenTheRecord_EndsWithThat()
    {
        var rig = LoopRig.OfNew();
        rig.Answer = _ => Task.FromException(new RecordConflictException("written by another"));
        rig.Start();

        await Assert.ThrowsAsync<RecordConflictException>(() => rig.Running.WaitAsync(LoopRig.Patience));
        Assert.True(rig.WatchToken.IsCancellationRequested);
        await rig.Loop.DisposeAsync();
    }

    [Fact]
    public async Task RunAsync_ConflictDuringAStep_WaitsForTheCallsOfThatStep()
    {
        var rig = LoopRig.OfNew(workers: 1);
        var (save, create) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource());
        rig.Answer = call => call is GangRecord ? save.Task : create.Task;
        rig.OnTold = e =>
        {
            if (LoopRig.IsMark(e, "before"))
            {
                // Not true, and the machine cannot know: it goes on to create the Pod.
                rig.Loop.Post(LoopRig.Mark("go"));
                rig.Loop.Post(new RecordSaved(1));
            }
            else if (LoopRig.IsMark(e, "go"))
            {
                save.SetException(new RecordConflictException("written by another"));
                Assert.True(rig.WatchToken.WaitHandle.WaitOne(LoopRig.Patience));
            }
        };
        rig.Start();
        await rig.CalledAsync<GangRecord>();
        rig.Loop.Post(LoopRig.Mark("before"));
        await rig.CalledAsync<CreatePod>();
        await EndOfAnotherAsync();

        Assert.False(rig.Running.IsCompleted);
        create.SetResult();
        await Assert.ThrowsAsync<RecordConflictException>(() => rig.Running.WaitAsync(LoopRig.Patience));
        await rig.Loop.DisposeAsync();
    }

    [Fact]
    public async Task RunAsync_Cancelled_EndsWhenItsCallsAreThrough()
    {
        var rig = LoopRig.OfNew(workers: 2);
        var (one, other) = (new TaskCompletionSource(), new TaskCompletionSource());
        rig.Answer = call => call is CreatePod create ? (create.Request.Worker!.Value.Index == 0 ? one : other).Task : Task.CompletedTask;
        rig.Start();
        await rig.CalledAsync<GangRecord>();
        await rig.CalledAsync<CreatePod>();
        await rig.CalledAsync<CreatePod>();
        rig.Stop();
        one.SetCanceled();
        await EndOfAnotherAsync();

        Assert.False(rig.Running.IsCompleted);
        other.SetException(new SupervisorException("too late"));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_Disposed_Ends()
    {
        var rig = LoopRig.OfRunning();
        rig.Start();
        await rig.Loop.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.Running.WaitAsync(LoopRig.Patience));
    }

    [Fact]
    public async Task RunAsync_GangHasEnded_EndsWhenItsCallsAreThrough()
    {
        var rig = LoopRig.OfRunning(workers: 1);
        var delete = new TaskCompletionSource();
        rig.AnswerTo<DeleteGang>(delete.Task);
        rig.Start();
        rig.Loop.Post(new StopRequested("enough"));
        await rig.CalledAsync<GangRecord>();
        var pod = rig.Loop.State.Pods[rig.Loop.State.Workers[0]];
        rig.Loop.Post(new PodGone(pod.Name, pod.Uid!));
        await rig.CalledAsync<DeleteGang>();
        rig.Loop.Post(LoopRig.Mark("still here"));
        Assert.Equal(Stage.Ended, (await rig.MarkedAsync("still here")).Stage);

        delete.SetResult();
        await rig.Running.WaitAsync(LoopRig.Patience);
        Assert.Equal(GangPhase.Stopped, rig.Loop.State.Phase);
        await rig.Loop.DisposeAsync();
    }

    /// <summary>A loop that has nothing to wait for, stopped later than the one in question: that would be over by now, too.</summary>
    private static async Task EndOfAnotherAsync()
    {
        var another = LoopRig.OfRunning();
        another.Start();
        await another.EndAsync();
    }

    private static FailureReported Failed(LoopRig rig, int rank)
    {
        var pod = rig.Loop.State.Pods[rig.Loop.State.Workers[rank]];
        return new FailureReported(new Failure(FailureKind.ApplicationError, "exit code 3", rig.Clock.GetUtcNow()) { Worker = pod.Worker, Pod = pod.Name, Node = pod.Node });
    }

    /// <summary>A spare is gone, and the record is to be written with the name of another. The serial of the last one before.</summary>
    private static async Task<int> LoseSpareAsync(LoopRig rig)
    {
        var before = rig.Loop.State.SpareSerials["trainer"];
        var spare = rig.Loop.State.Pods.Values.First(p => p is { Worker: null, Doomed: false, Gone: false, Uid: not null });
        rig.Loop.Post(new PodGone(spare.Name, spare.Uid!));
        rig.Loop.Post(LoopRig.Mark(spare.Name));
        await rig.MarkedAsync(spare.Name);
        // All of that step is done when the next one begins.
        rig.Loop.Post(LoopRig.Mark("then"));
        await rig.MarkedAsync("then");
        return before;
    }

    private static async Task<GangRecord> NextRecordAsync(LoopRig rig)
    {
        while (true)
        {
            if (await rig.CalledAsync() is GangRecord record) return record;
        }
    }
}
