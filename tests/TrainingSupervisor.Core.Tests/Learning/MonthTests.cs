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

    /// <summary>The same noise, with every report of every worker through the machine.</summary>
    [Fact]
    public void ThousandsOfStepsOfSixtyFourWorkers_ThroughTheMachine_NameTheStragglerAndNothingElse()
    {
        const int Many = 64, Slow = 41;
        var gang = new ProgressDriver(Specs.Gang(Many).Build());
        var noise = new NoisyGang(5, Many, 4);
        var found = 0;
        for (var step = 1; step <= 3000; step++)
        {
            if (step == 2000) noise.Straggler = Slow;
            var ends = gang.Now.AddSeconds(noise.Step());
            // Some reports come together, some later than the next worker's next one.
            foreach (var batch in Enumerable.Range(0, Many).GroupBy(rank => (rank * 7 + step) % 9))
            {
                gang.At(ends.AddMilliseconds(20 * batch.Key + noise.Below(15)), [.. batch.Select(rank => gang.Say(rank, step, own: noise.Own[rank]))]);
                ends = gang.Now > ends ? gang.Now : ends;
            }

            if (step % 200 == 0)
            {
                gang.AllDo(0.1, step, "checkpoint");
                gang.AllDo(noise.LogNormal(60, 0.3), step, "train");
            }

            if (gang.Found.Count > 0 && found == 0) found = step;
        }

        var straggler = Assert.Single(gang.Found).Failure;
        Assert.Equal((FailureKind.Straggler, $"trainer-{Slow}"), (straggler.Kind, straggler.Worker.ToString()));
        Assert.InRange(found - 2000, 15, 50);
        gang.After(600);
        Assert.Single(gang.Hangs);
    }
}
