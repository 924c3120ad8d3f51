using System.Collections.Immutable;
using System.Numerics;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>
/// How fast the workers of one role do their own work. Each worker's step is compared with the median of its peers at the same time, so that
/// what slows all of them is no straggler's mark; and what counts is how many of its last steps were slow, so that a few long ones are none.
/// </summary>
internal sealed class RolePace
{
    /// <summary>The first steps of an attempt compile and fill caches.</summary>
    private const int WarmUp = 3;
    private const float Memory = 1 / 16f;

    /// <summary>In smoothing, one very long step counts as this many times the median.</summary>
    private const float Clip = 4;

    private readonly WorkerPace[] _workers;

    private RolePace(WorkerPace[] workers, long step, DateTimeOffset at) => (_workers, Step, At) = (workers, step, at);

    /// <summary>The role's frontier when this was judged.</summary>
    public long Step { get; }

    /// <summary>When this was judged.</summary>
    public DateTimeOffset At { get; }

    public static RolePace Start(int workers) => new(new WorkerPace[workers], -1, DateTimeOffset.MinValue);

    /// <summary>Above how many times the median a step counts as slow: a true straggler's own noise must not carry it below.</summary>
    public static double Threshold(StragglerDetection options) => 1 + (0.5 * (options.Factor - 1));

    /// <summary>Of how many slow steps within the window a straggler is made: five of eight.</summary>
    public static int Enough(StragglerDetection options) => Math.Max(1, options.Steps * 5 / 8);

    /// <summary>How many workers are stragglers by their last steps.</summary>
    public int CountSlow(StragglerDetection options) =>
        _workers.Count(w => BitOperations.PopCount(w.Slow & Window(options)) >= Enough(options));

    private static ulong Window(StragglerDetection options) => options.Steps >= 64 ? ulong.MaxValue : (1UL << options.Steps) - 1;

    /// <summary>Judges the latest steps. A worker is named once.</summary>
    /// <param name="samples">Of each worker by index: its last step and its own seconds for it; NaN if it says none.</param>
    /// <param name="step">The role's frontier.</param>
    /// <param name="now">When.</param>
    /// <param name="options">What the gang was told about stragglers.</param>
    public (RolePace Next, ImmutableArray<Straggler> Found) Judge(
        ReadOnlySpan<(long Step, double Own)> samples, long step, DateTimeOffset now, StragglerDetection options)
    {
        var median = Median(samples, out var count);
        if (count < 3 || !(median > 0)) return (new RolePace(_workers, step, now), []);
        var next = new WorkerPace[_workers.Length];
        var slow = median * Threshold(options);
        var window = Window(options);
        var enough = Enough(options);
        var found = ImmutableArray<Straggler>.Empty;
        for (var i = 0; i < next.Length; i++)
        {
            var pace = _workers[i];
            var (at, own) = samples[i];
            if (!(own >= 0) || at == pace.Step)
            {
                next[i] = pace;
                continue;
            }

            // A report may be about several steps; after a fall back to an older step it is about one.
            var steps = (int)Math.Clamp(pace.Seen == 0 ? 1 : at - pace.Step, 1, 64);
            pace.Step = at;
            pace.Seen += steps;
            if (pace.Seen > WarmUp)
            {
                steps = Math.Min(steps, pace.Seen - WarmUp);
                pace.Slow = steps >= 64 ? 0 : pace.Slow << steps;
                if (own > slow) pace.Slow |= steps >= 64 ? ulong.MaxValue : (1UL << steps) - 1;
                var clipped = (float)Math.Min(own, median * Clip);
                pace.Own = pace.Own == 0 ? clipped : pace.Own + ((clipped - pace.Own) * Memory);
                pace.Median = pace.Median == 0 ? (float)median : pace.Median + (((float)median - pace.Median) * Memory);
                if (!pace.Told && BitOperations.PopCount(pace.Slow & window) is var many && many >= enough)
                {
                    pace.Told = true;
                    found = found.Add(new Straggler(i, pace.Own, pace.Median, many, Math.Min(pace.Seen - WarmUp, options.Steps)));
                }
            }

            next[i] = pace;
        }

        return (new RolePace(next, step, now), found);
    }

    /// <summary>The lower median: of two workers, one slow, it is the other.</summary>
    private static double Median(ReadOnlySpan<(long Step, double Own)> samples, out int count)
    {
        var values = new double[samples.Length];
        count = 0;
        foreach (var (_, own) in samples)
        {
            if (own >= 0) values[count++] = own;
        }

        return count == 0 ? double.NaN : Select(values.AsSpan(0, count), (count - 1) / 2);
    }

    private static double Select(Span<double> values, int k)
    {
        int low = 0, high = values.Length - 1;
        while (low < high)
        {
            var pivot = values[(low + high) / 2];
            int i = low, j = high;
            while (i <= j)
            {
                while (values[i] < pivot) i++;
                while (values[j] > pivot) j--;
                if (i > j) break;
                (values[i], values[j]) = (values[j], values[i]);
                i++;
                j--;
            }

            if (k <= j) high = j;
            else if (k >= i) low = i;
            else break;
        }

        return values[k];
    }

    private struct WorkerPace
    {
        public long Step;
        public int Seen;
        public ulong Slow;
        public float Own;
        public float Median;
        public bool Told;
    }
}

/// <summary>A worker whose own work is persistently slow.</summary>
/// <param name="Index">Its index in the role.</param>
/// <param name="OwnSeconds">Its own seconds for a step, smoothed.</param>
/// <param name="MedianSeconds">The median of its role at the same steps, smoothed.</param>
/// <param name="SlowSteps">How many of the watched steps were slow.</param>
/// <param name="Steps">How many steps were watched.</param>
internal sealed record Straggler(int Index, double OwnSeconds, double MedianSeconds, int SlowSteps, int Steps);
