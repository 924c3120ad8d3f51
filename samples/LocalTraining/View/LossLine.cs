using System.Globalization;

namespace LocalTraining.View;

/// <summary>A line of the trainer's loss file: step, loss, attempt, time.</summary>
internal sealed record LossLine(int Step, double Loss, int Attempt)
{
    /// <summary>Those lines that are whole; a kill may have cut one off.</summary>
    public static IReadOnlyList<LossLine> Read(string file)
    {
        var found = new List<LossLine>();
        foreach (var line in File.Exists(file) ? File.ReadLines(file) : [])
        {
            if (line.Split(',') is [var step, var loss, var attempt, var time]
                && int.TryParse(step, CultureInfo.InvariantCulture, out var s)
                && double.TryParse(loss, CultureInfo.InvariantCulture, out var l)
                && int.TryParse(attempt, CultureInfo.InvariantCulture, out var a)
                && time.Length == 13)
            {
                found.Add(new LossLine(s, l, a));
            }
        }

        return found;
    }
}
