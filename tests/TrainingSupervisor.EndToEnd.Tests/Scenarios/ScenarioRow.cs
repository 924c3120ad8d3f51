using System.Globalization;
using System.Text.RegularExpressions;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>What was seen of one scenario. All but the times is the same in every run.</summary>
internal sealed partial record ScenarioRow(FailureKind? Kind, string Injected, string Seen, string Answer, string Steps, string Kept, string Times)
{
    private const int Longest = 240;

    /// <summary>The row without its times.</summary>
    public string Text => string.Join(" | ", Kind is { } kind ? $"`{kind}`" : "–", Injected, Seen, Answer, Steps, Kept);

    /// <summary>Without what differs from run to run: names of Pods and nodes, ports, durations that were measured.</summary>
    public static string Stable(string text, string gang)
    {
        text = text.Replace(gang + "-", "", StringComparison.Ordinal);
        text = PodName().Replace(text, "w-$1");
        text = NodeName().Replace(text, "node-n");
        text = Measured().Replace(text, "n s");
        text = text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal).Trim();
        return text.Length > Longest ? text[..Longest] + "…" : text;
    }

    public static string Split(RecoveryTiming t)
    {
        var moments = new[] { t.Failed, t.Detected, t.Decided, t.Commanded, t.Restarted, t.BarrierComplete, t.Released, t.FirstStep };
        var parts = moments.Zip(moments.Skip(1), (from, to) => Seconds(to - from));
        return $"{string.Join(" + ", parts)} = {Seconds((t.FirstStep ?? t.Released) - t.Failed)}";
    }

    public static string Seconds(TimeSpan? time) => time is { } t ? t.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture) : "–";

    [GeneratedRegex(@"\bw-(\d+)-\d+\b")]
    private static partial Regex PodName();

    [GeneratedRegex(@"\bnode-\d+\b")]
    private static partial Regex NodeName();

    [GeneratedRegex(@"\b\d+\.\d+ s\b")]
    private static partial Regex Measured();
}
