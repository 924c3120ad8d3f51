using CsCheck;
using TrainingSupervisor.Engine.Learning;

namespace TrainingSupervisor.Core.Tests.Learning;

public sealed class StepTimesTests
{
    [Fact]
    public void Percentile99_AnyTimes_IsTheTrueOneOrUpTo2PercentLess() =>
        Gen.Double[-6, 9].Array[1, 3000].Sample(
            logs =>
            {
                var seconds = Array.ConvertAll(logs, Math.Exp);
                var times = seconds.Aggregate(StepTimes.Empty, (t, s) => t.Add(TimeSpan.FromSeconds(s)));
                var exact = Exact(seconds);
                Assert.InRange(times.Percentile99.TotalSeconds, (exact / 1.02) - 1e-6, exact);
                Assert.True(times.Upper99 >= times.Percentile99);
            },
            iter: 300);

    /// <summary>One step in fifty takes five times as long: of 300 steps and more, that is known.</summary>
    [Fact]
    public void Upper99_LongStepsAreOneInFifty_IsKnownInNinetyNineOfAHundredCases()
    {
        var wrong = 0;
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var noise = new NoisyGang(seed, 1, 1);
            var times = StepTimes.Empty;
            for (var i = 0; i < 2000; i++)
            {
                times = times.Add(TimeSpan.FromSeconds(noise.Uniform() < 0.02 ? 5 : 1));
                if (i >= StepWatch.SureAfter && times.Upper99 < TimeSpan.FromSeconds(4)) wrong++;
            }
        }

        Assert.InRange(wrong, 0, 200 * 1700 / 100);
    }

    [Fact]
    public void Upper99_ManyStepsKnown_IsThePercentileItself()
    {
        var times = StepTimes.Empty;
        for (var i = 0; i < StepTimes.Generation; i++) times = times.Add(TimeSpan.FromSeconds(i % 200 == 0 ? 100 : 1));
        Assert.Equal(times.Percentile99, times.Upper99);
        Assert.InRange(times.Upper99.TotalSeconds, 0.98, 1);
    }

    [Fact]
    public void Add_MoreThanTwoGenerations_ForgetsTheOldest()
    {
        var times = StepTimes.Empty;
        for (var i = 0; i < StepTimes.Generation; i++) times = times.Add(TimeSpan.FromSeconds(100)).AddPause(TimeSpan.FromSeconds(500));
        for (var i = 0; i < StepTimes.Generation; i++) times = times.Add(TimeSpan.FromSeconds(1));
        Assert.InRange(times.Percentile99.TotalSeconds, 98, 100);
        Assert.Equal(TimeSpan.FromSeconds(500), times.LongestPause);
        times = times.Add(TimeSpan.FromSeconds(1));
        Assert.InRange(times.Percentile99.TotalSeconds, 0.98, 1);
        Assert.Equal((TimeSpan.Zero, StepTimes.Generation + 1), (times.LongestPause, times.Count));
    }

    /// <summary>By nearest rank: the least of them that at least 99 % do not exceed.</summary>
    public static double Exact(IEnumerable<double> seconds)
    {
        var sorted = seconds.Order().ToArray();
        return sorted[(int)Math.Ceiling(0.99 * sorted.Length) - 1];
    }
}
