using LocalTraining.Running;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class FaultTests
{
    [Fact]
    public void Schedule_SameNumbers_SameFaultsAtExactSteps()
    {
        var faults = Fault.Schedule(360, 8, seed: 1, crashSupervisor: true);

        Assert.Equal(faults, Fault.Schedule(360, 8, seed: 1, crashSupervisor: true));
        Assert.Equal([60, 120, 180, 240, 300], faults.Select(f => f.Step));
        Assert.Equal(Enum.GetValues<FaultKind>(), faults.Select(f => f.Kind));
    }

    [Fact]
    public void Schedule_OtherSeed_OtherVictims() => Assert.Contains(
        Enumerable.Range(2, 20),
        seed => !Fault.Schedule(360, 8, seed, true).Select(f => f.Rank).SequenceEqual(Fault.Schedule(360, 8, 1, true).Select(f => f.Rank)));

    [Fact]
    public void Schedule_WithoutCrashOfTheSupervisor_HasTheOtherFour() =>
        Assert.DoesNotContain(Fault.Schedule(360, 8, 1, crashSupervisor: false), f => f.Kind == FaultKind.KillWorkerAndSupervisor);

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
