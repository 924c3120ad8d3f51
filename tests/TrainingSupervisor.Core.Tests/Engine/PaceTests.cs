using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>What waits for more of its kind after a costly step, for how long, and what does not.</summary>
public sealed class PaceTests
{
    /// <summary>A timer is armed a millisecond late, so that it is never early.</summary>
    private static readonly TimeSpan Late = Ms(1);

    private static TimeSpan Ms(double ms) => TimeSpan.FromMilliseconds(ms);

    [Theory]
    [InlineData(0.9, 0)]
    [InlineData(1, 4)]
    [InlineData(21, 84)]
    [InlineData(30, 100)]
    [InlineData(500, 100)]
    public void After_Step_IsFourTimesThatAtMostATenthOfASecond(double step, double pause) => Assert.Equal(Ms(pause), Pace.After(Ms(step)));

    [Fact]
    public async Task RunAsync_ProgressAfterACostlyStep_WaitsForMore()
    {
        var rig = Costly(Ms(10), r => r.Progress(0, 5));
        Assert.Equal(Ms(40) + Late, await rig.Clock.ArmedAsync());
        rig.Loop.Post(rig.Progress(1, 5));
        rig.Clock.Advance(Ms(40));
        Assert.Equal((-1, -1), (rig.StepOf(0), rig.StepOf(1)));
        rig.Clock.Advance(Late);

        // Asleep again: all was seen.
        Assert.True(await rig.Clock.ArmedAsync() > Pace.Longest);
        Assert.Equal((5, 5), (rig.StepOf(0), rig.StepOf(1)));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_ProgressAfterACheapStep_IsSeenAtOnce()
    {
        var rig = Costly(Ms(0.9), r => r.Progress(0, 5));

        Assert.True(await rig.Clock.ArmedAsync() > Pace.Longest);
        Assert.Equal(5, rig.StepOf(0));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_ProgressLongAfterACostlyStep_IsSeenAtOnce()
    {
        var rig = Costly(Ms(10));
        Assert.Equal(Ms(40) + Late, await rig.Clock.ArmedAsync());
        rig.Clock.Advance(Ms(40) + Late);
        rig.Loop.Post(rig.Progress(0, 5));

        Assert.True(await rig.Clock.ArmedAsync() > Pace.Longest);
        Assert.Equal(5, rig.StepOf(0));
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_SomethingElseComes_EndsTheWait()
    {
        var rig = Costly(Ms(10), r => r.Progress(0, 5));
        await rig.Clock.ArmedAsync();
        rig.Loop.Post(LoopRig.Mark("now"));
        var seen = await rig.MarkedAsync("now");

        Assert.Equal(5, seen.Pods[seen.Workers[0]].Progress!.Step);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_SomethingElseCameDuringTheStep_IsSeenAtOnce()
    {
        var rig = Costly(Ms(10), r => r.Progress(0, 5), _ => LoopRig.Mark("now"));

        await rig.MarkedAsync("now");
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_WorkerSaysThatItIsUnwell_EndsTheWait()
    {
        var rig = Costly(Ms(10), r => r.Progress(0, 5));
        await rig.Clock.ArmedAsync();
        rig.Loop.Post(rig.Progress(1, 5, unhealthy: "loss is NaN"));

        Assert.Equal(FailureKind.HealthCheckFailed, (await rig.ToldAsync<FailureDetected>()).Event.Failure.Kind);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_MachineWantsToBeWokenEarlier_IsWokenThen()
    {
        var rig = LoopRig.OfRunning();
        rig.OnTold = e =>
        {
            if (e is not FailureDetected) return;
            rig.Clock.Advance(Ms(20));
            rig.Loop.Post(rig.Progress(0, 5));
        };
        rig.Loop.Post(rig.Progress(1, 5, unhealthy: "loss is NaN"));
        rig.Start();

        Assert.Equal(Ms(30) + Late, await rig.Clock.ArmedAsync());
        rig.Clock.Advance(Ms(30) + Late);
        var (_, state) = await rig.ToldAsync<RecoveryPlanned>();
        Assert.Equal(5, state.Pods[state.Workers[0]].Progress!.Step);
        await rig.EndAsync();
    }

    [Fact]
    public async Task RunAsync_FullBatch_LeavesNothingUrgentWaiting()
    {
        var rig = LoopRig.OfRunning();
        rig.OnTold = e =>
        {
            if (LoopRig.IsMark(e, "costly")) rig.Clock.Advance(Ms(10));
        };
        rig.Loop.Post(LoopRig.Mark("costly"));
        for (var i = 0; i < 5000; i++) rig.Loop.Post(rig.Progress(0, i));
        rig.Loop.Post(LoopRig.Mark("last"));
        rig.Start();

        await rig.MarkedAsync("last");
        await rig.EndAsync();
    }

    /// <summary>A running gang of which one step took so long; these came meanwhile.</summary>
    private static LoopRig Costly(TimeSpan step, params Func<LoopRig, GangInput>[] meanwhile)
    {
        var rig = LoopRig.OfRunning();
        rig.OnTold = e =>
        {
            if (!LoopRig.IsMark(e, "costly")) return;
            rig.Clock.Advance(step);
            foreach (var input in meanwhile) rig.Loop.Post(input(rig));
        };
        rig.Loop.Post(LoopRig.Mark("costly"));
        rig.Start();
        return rig;
    }
}
