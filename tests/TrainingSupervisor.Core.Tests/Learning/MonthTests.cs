using Xunit.Abstractions;

namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>
/// Thirty days of 1,000 workers. Every own time of every worker is drawn and judged by the straggler detector. Of the reports, which all say the same,
/// the machine is given the earliest and the latest of each step and phase: the hang clock reads no others.
/// </summary>
public sealed class MonthTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);
    private const int Workers = 1000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ThirtyDaysOfAThousandWorkers_Noise_NoFalseHangAndEveryStragglerWithinFiftySteps(ulong seed)
    {
        var month = new MonthOfTraining(seed, Workers, seconds: 18);
        month.Run(Month);
        output.WriteLine(month.ToString());

        Assert.InRange(month.Steps, 60_000, 200_000);
        Assert.InRange(month.Attempts, 60, 400);
        Assert.InRange(month.Pauses, 300, 3000);
        Assert.Equal(0, month.FalseHangs);
        Assert.Equal(0, month.FalseStragglers);
        Assert.InRange(month.StragglersFound.Count, 50, 400);
        Assert.Equal(0, month.StragglersMissed);
        Assert.InRange(month.StragglersFound.Max(), 20, 50);
        Assert.InRange(month.HangsFound.Count, 20, 400);
        Assert.Equal(0, month.HangsLate);
    }
}
