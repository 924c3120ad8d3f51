using LocalTraining.Running;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class FaultTests
{
    [Fact]
    public void Schedule_SameNumbers_SameFaultsAtExactSteps()
    {
        var faults = Fault.Schedule(360, 8, seed: 1, crashSupervisor: true);

        Assert.Equal(faults, Fault.Schedule(360, 8, seed: 1, crashSupervisor: true));
        Assert.Equal([5, 102, 145, 188, 231, 274, 317], faults.Select(f => f.Step));
        Assert.Equal(Enum.GetValues<FaultKind>(), faults.Select(f => f.Kind));
    }

    [Fact]
    public void Schedule_OtherSeed_OtherVictims() => Assert.Contains(
        Enumerable.Range(2, 20),
        seed => !Fault.Schedule(360, 8, seed, true).Select(f => f.Rank).SequenceEqual(Fault.Schedule(360, 8, 1, true).Select(f => f.Rank)));

    [Fact]
    public void Schedule_WithoutCrashOfTheSupervisor_HasTheOthers() =>
        Assert.DoesNotContain(Fault.Schedule(360, 8, 1, crashSupervisor: false), f => f.Kind == FaultKind.KillWorkerAndSupervisor);

    [Fact]
    public void Schedule_SlowWorker_HasStepsOfItsOwnToBeFoundIn()
    {
        var faults = Fault.Schedule(120, 8, seed: 1, crashSupervisor: true);

        Assert.Equal(FaultKind.Slow, faults[0].Kind);
        Assert.True(faults[1].Step >= faults[0].Step + 55);
    }

    [Theory]
    [InlineData(2, 360)]
    [InlineData(8, 60)]
    public void Schedule_GangOrRunTooSmallForAStraggler_HasTheOthers(int workers, int steps) => Assert.Equal(
        Enum.GetValues<FaultKind>().Where(k => k != FaultKind.Slow), Fault.Schedule(steps, workers, seed: 1, crashSupervisor: true).Select(f => f.Kind));

    [Theory]
    [InlineData(2, 20)]
    [InlineData(4, 21)]
    [InlineData(12, 100_000)]
    [InlineData(64, 25)]
    public void Schedule_AnySize_EachFaultHasARankAStepAndAFileOfItsOwn(int workers, int steps)
    {
        var faults = Fault.Schedule(steps, workers, seed: 5, crashSupervisor: true);

        Assert.All(faults, f => Assert.InRange(f.Rank, 0, workers - 1));
        Assert.All(faults, f => Assert.InRange(f.Step, 1, steps - 1));
        Assert.Equal(faults.Count, faults.Select(f => f.Step).Distinct().Count());
        Assert.Equal(faults.Count, faults.Select(f => f.FileName).Distinct().Count());
    }
}
