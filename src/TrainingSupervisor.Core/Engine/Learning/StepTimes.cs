using System.Collections.Immutable;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>
/// How long the steps of a role take: a histogram of the last 4,096 to 8,192 of them, in buckets that are 2 % wide. Two generations: when the
/// young one is full it becomes the old one, whose steps are forgotten. Immutable.
/// </summary>
internal sealed class StepTimes
{
    public const int Generation = 4096;
    private const double Width = 1.02, Shortest = 0.001;

    /// <summary>Where each bucket begins, in seconds: from one millisecond to some eight hours.</summary>
    private static readonly double[] Edges = [0, .. Enumerable.Range(0, 867).Select(i => Shortest * Math.Pow(Width, i))];
    private readonly ImmutableArray<int> _young, _old;
    private readonly TimeSpan _youngPause, _oldPause;
    private readonly int _youngCount, _oldCount;

    private StepTimes(ImmutableArray<int> young, int youngCount, TimeSpan youngPause, ImmutableArray<int> old, int oldCount, TimeSpan oldPause)
    {
        (_young, _youngCount, _youngPause, _old, _oldCount, _oldPause) = (young, youngCount, youngPause, old, oldCount, oldPause);
        Percentile99 = Find((int)(0.01 * Count));
        // Of few steps the percentile is known badly: take what it may well be, one standard deviation of the number of longer ones less.
        Upper99 = Count >= Generation ? Percentile99 : Find((int)Math.Max(0, (0.01 * Count) - Math.Sqrt(0.01 * Count)));
    }

    public static StepTimes Empty { get; } = new(Zeros, 0, TimeSpan.Zero, Zeros, 0, TimeSpan.Zero);

    /// <summary>How many steps are known.</summary>
    public int Count => _youngCount + _oldCount;

    /// <summary>No more than 1 % of the known steps took longer. Never above the true value, and at most 2 % below.</summary>
    public TimeSpan Percentile99 { get; }

    /// <summary>What the true 99th percentile may well be, as far as these few steps tell; the same as <see cref="Percentile99"/> from 4,096 on.</summary>
    public TimeSpan Upper99 { get; }

    /// <summary>The longest pause that was taken for a hang and ended by itself.</summary>
    public TimeSpan LongestPause => _youngPause > _oldPause ? _youngPause : _oldPause;

    private static ImmutableArray<int> Zeros => ImmutableArray.Create(new int[Edges.Length]);

    public StepTimes Add(TimeSpan time)
    {
        var bucket = Bucket(time.TotalSeconds);
        if (_youngCount < Generation) return new(_young.SetItem(bucket, _young[bucket] + 1), _youngCount + 1, _youngPause, _old, _oldCount, _oldPause);
        return new(Zeros.SetItem(bucket, 1), 1, TimeSpan.Zero, _young, _youngCount, _youngPause);
    }

    public StepTimes AddPause(TimeSpan time) =>
        new(_young, _youngCount, time > _youngPause ? time : _youngPause, _old, _oldCount, _oldPause);

    private static int Bucket(double seconds)
    {
        if (!(seconds >= Shortest)) return 0;
        var bucket = Math.Min(1 + (int)(Math.Log(seconds / Shortest) / Math.Log(Width)), Edges.Length - 1);
        // The logarithm may round to either side of an edge.
        if (bucket + 1 < Edges.Length && Edges[bucket + 1] <= seconds) bucket++;
        return Edges[bucket] <= seconds ? bucket : bucket - 1;
    }

    /// <summary>The time that at most so many of the known steps exceed.</summary>
    private TimeSpan Find(int allowed)
    {
        var seen = 0;
        for (var i = Edges.Length - 1; i > 0; i--)
        {
            seen += _young[i] + _old[i];
            if (seen > allowed) return TimeSpan.FromSeconds(Edges[i]);
        }

        return TimeSpan.Zero;
    }
}
