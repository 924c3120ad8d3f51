using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Policies;

/// <summary>Durations as people write them: <c>10m</c>, <c>1h30m</c>, <c>1.5s</c>, <c>250ms</c>, <c>0s</c>.</summary>
internal static class DurationText
{
    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("d", TimeSpan.TicksPerDay), ("h", TimeSpan.TicksPerHour), ("m", TimeSpan.TicksPerMinute),
        ("s", TimeSpan.TicksPerSecond), ("ms", TimeSpan.TicksPerMillisecond),
    ];

    public static string Write(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero) return "0s";
        if (duration < TimeSpan.Zero) return "-" + (duration == TimeSpan.MinValue ? "10675199d" : Write(-duration));
        var text = new StringBuilder();
        var left = duration.Ticks;
        foreach (var (unit, ticks) in Units)
        {
            // A day is no unit to count hours with: 24h, not 1d, is what users write.
            if (unit == "d" && left < 2 * TimeSpan.TicksPerDay) continue;
            var last = unit == "ms";
            var count = last ? left / (decimal)ticks : left / ticks;
            if (count == 0) continue;
            text.Append(count.ToString("0.####", CultureInfo.InvariantCulture)).Append(unit);
            left -= (long)(count * ticks);
        }

        return text.ToString();
    }

    public static TimeSpan? Read(string text)
    {
        var total = 0m;
        var at = 0;
        var previous = -1;
        while (at < text.Length)
        {
            var start = at;
            while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.')) at++;
            if (!decimal.TryParse(text.AsSpan(start, at - start), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count)) return null;
            start = at;
            while (at < text.Length && char.IsAsciiLetter(text[at])) at++;
            var index = Array.FindIndex(Units, u => text.AsSpan(start, at - start).SequenceEqual(u.Unit));
            if (index <= previous) return null;
            previous = index;
            if (count > TimeSpan.MaxValue.Ticks / Units[index].Ticks) return null;
            total += count * Units[index].Ticks;
        }

        return text.Length == 0 || total > TimeSpan.MaxValue.Ticks || total != decimal.Truncate(total) ? null : TimeSpan.FromTicks((long)total);
    }
}
