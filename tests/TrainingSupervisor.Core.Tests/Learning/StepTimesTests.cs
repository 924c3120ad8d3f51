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
            },
            iter: 300);

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
