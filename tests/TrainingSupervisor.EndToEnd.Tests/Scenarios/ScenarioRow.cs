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
        text = text.Replace($"{gang}-w-", "w-", StringComparison.Ordinal).Replace($"{gang}-node-", "node-", StringComparison.Ordinal);
        text = PodName().Replace(text, "w-$1");
        text = NodeName().Replace(text, "node-n");
        text = Measured().Replace(text, "n s");
        text = AtStep().Replace(text, "$1n");
        text = Counted().Replace(text, "n of the last n");
        text = Nodes().Replace(text, "0/n nodes are available: …");
        text = text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal).Trim();
        return text.Length > Longest ? text[..Longest] + "…" : text;
    }

    /// <param name="done">When it was done.</param>
    /// <param name="t">What the recovery says of itself.</param>
    public static string Split(DateTimeOffset done, RecoveryTiming t)
    {
        // Who is released first may do its first step before the last one has said that it runs.
        var step = t.FirstStep < t.Released ? t.Released : t.FirstStep;
        return Sum(done, t.Detected, t.Decided, t.Commanded!.Value, t.Restarted!.Value, t.BarrierComplete!.Value, t.Released!.Value, step!.Value);
    }

    public static string Sum(params DateTimeOffset[] moments) =>
        $"{string.Join(" + ", moments.Zip(moments.Skip(1), (from, to) => Seconds(to - from)))} = {Seconds(moments[^1] - moments[0])}";

    public static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\bw-(\d+)-\d+\b")]
    private static partial Regex PodName();

    [GeneratedRegex(@"\bnode-\d+\b")]
    private static partial Regex NodeName();

    [GeneratedRegex(@"\b\d+(\.\d+)? m?s\b")]
    private static partial Regex Measured();

    [GeneratedRegex(@"\b(at step |others are at )\d+")]
    private static partial Regex AtStep();

    [GeneratedRegex(@"\b\d+ of the last \d+\b")]
    private static partial Regex Counted();

    /// <summary>The cluster is shared with the other scenarios.</summary>
    [GeneratedRegex(@"\b0/\d+ nodes are available.*$")]
    private static partial Regex Nodes();
}
