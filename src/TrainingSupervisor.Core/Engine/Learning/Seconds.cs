using System.Globalization;

namespace TrainingSupervisor.Engine.Learning;

internal static class Seconds
{
    public static string Text(TimeSpan time) => Text(time.TotalSeconds);

    public static string Text(double seconds) =>
        seconds >= 120 ? string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0.#} min") : string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s");
}
