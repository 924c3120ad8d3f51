using System.Globalization;
using LocalTraining.Running;
using ScottPlot;

namespace LocalTraining.View;

/// <summary>The run as a picture: the loss by step, and by rank what each did when.</summary>
internal static class Timeline
{
    private const int Width = 1500;
    private const int Height = 960;
    private const float LegendWidth = 290;

    private static readonly (string State, string Name, string Colour)[] States =
    [
        ("Running", "training", "#2e9e5b"),
        (RunState.Straggler, "training, named a straggler", "#a3c644"),
        ("Waiting", "waiting at the barrier", "#3b7dd8"),
        ("Restarting", "restarting", "#e8b23a"),
        ("Exited", "ended, its agent holds", "#d9534f"),
        ("Lost", "lost", "#7a1f1f"),
        ("Silent", "its agent is silent", "#8a6d9e"),
        ("Pending", "Pod starts, or not heard yet", "#b8b8b8"),
        (RunState.Unseen, "no supervisor to see it", "#e6e6e6"),
        (RunState.Done, "done", "#1f6d3f"),
    ];

    /// <summary>A picture that cannot be made is worth a line and no failure.</summary>
    public static void TrySave(RunState run, string lossFile, string path)
    {
        try
        {
            Save(run, LossLine.Read(lossFile), path);
            Console.WriteLine($"picture: {path}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TypeInitializationException or DllNotFoundException)
        {
            Console.Error.WriteLine($"no picture: {(e.InnerException ?? e).Message}");
        }
    }

    public static void Save(RunState run, IReadOnlyList<LossLine> losses, string path)
    {
        var multi = new Multiplot();
        multi.AddPlots(2);
        Loss(multi.GetPlot(0), losses, run.Faults());
        Ranks(multi.GetPlot(1), run);
        multi.SavePng(path, Width, Height);
    }

    private static void Loss(Plot plot, IReadOnlyList<LossLine> losses, IReadOnlyList<FaultMark> faults)
    {
        plot.Title("Loss by training step: each attempt goes on from the last checkpoint");
        plot.XLabel("training step");
        plot.YLabel("loss (nats per character)");
        foreach (var attempt in losses.GroupBy(r => r.Attempt).OrderBy(g => g.Key))
        {
            var line = plot.Add.ScatterLine(attempt.Select(r => (double)r.Step).ToArray(), attempt.Select(r => r.Loss).ToArray());
            line.LegendText = string.Create(CultureInfo.InvariantCulture, $"attempt {attempt.Key}");
            line.LineWidth = 2;
        }

        // Numbers at the lines, and here what they stand for: words at the lines would cover each other. An item for each line of text: all items
        // are as high as the highest, and what is higher than the picture goes on beyond its edge.
        plot.Legend.ManualItems.AddRange(faults
            .SelectMany((f, i) => string.Create(CultureInfo.InvariantCulture, $"{i + 1}: {Wrap(f.Text)}").Split('\n'))
            .Select(line => new LegendItem { LabelText = line }));
        Legend(plot);
        if (losses.Count == 0) return;
        var top = losses.Max(l => l.Loss) * 1.06;
        Mark(plot, [.. faults.Select(f => (double)f.Step)], top);
        plot.Axes.SetLimits(0, losses.Max(l => l.Step) * 1.01, losses.Min(l => l.Loss) * 0.9, top * 1.03);
    }

    private static void Ranks(Plot plot, RunState run)
    {
        var spans = run.Spans();
        plot.Title("What each rank did; dashed lines are the faults");
        plot.XLabel("time since the start (s)");
        plot.YLabel("rank");
        if (spans.Count == 0) return;
        var end = spans.Max(s => s.From);
        foreach (var rank in spans.GroupBy(s => s.Rank)) Bars(plot, run, rank.Key, [.. rank.OrderBy(s => s.From)], end);
        var last = spans.Max(s => s.Rank);
        plot.Legend.ManualItems.AddRange(States.Where(s => spans.Any(x => x.State == s.State))
            .Select(s => new LegendItem { LabelText = s.Name, FillColor = Color.FromHex(s.Colour) }));
        Legend(plot);
        Mark(plot, [.. run.Faults().Select(f => Seconds(run, f.At))], last + 0.8);
        foreach (var move in run.Moves()) Name(plot, move, Seconds(run, move.At), Seconds(run, end));
        plot.Axes.SetLimits(0, Seconds(run, end) * 1.01, -0.7, last + 1.4);
        if (last < 24) plot.Axes.Left.SetTicks([.. Enumerable.Range(0, last + 1).Select(r => (double)r)], [.. Enumerable.Range(0, last + 1).Select(r => $"{r}")]);
    }

    private static void Legend(Plot plot)
    {
        plot.Legend.FontSize = 11;
        plot.Legend.OutlineWidth = 0;
        plot.Legend.ShadowOffset = new PixelOffset(0, 0);
        plot.ShowLegend(Edge.Right).MinimumSize = LegendWidth;
    }

    private static void Bars(Plot plot, RunState run, int rank, List<StateSpan> spans, DateTimeOffset end)
    {
        for (var i = 0; i < spans.Count; i++)
        {
            var until = i + 1 < spans.Count ? spans[i + 1].From : end;
            var style = States.FirstOrDefault(s => s.State == spans[i].State);
            var bar = plot.Add.Rectangle(Seconds(run, spans[i].From), Seconds(run, until), rank - 0.4, rank + 0.4);
            bar.FillColor = Color.FromHex(style.Colour ?? "#cccccc");
            bar.LineWidth = 0;
        }
    }

    /// <summary>Which Pod the rank has from here on.</summary>
    private static void Name(Plot plot, MoveLine move, double at, double end)
    {
        var late = at > 0.75 * end;
        var words = $"{(move.ToSpare ? "spare" : "new Pod")} {move.To}";
        var name = plot.Add.Text(late ? $"{words} \u25ba" : $"\u25c4 {words}", at, move.Rank);
        name.LabelFontSize = 12;
        name.LabelBold = true;
        name.LabelBackgroundColor = Colors.White.WithAlpha(0.8);
        name.LabelAlignment = late ? Alignment.MiddleRight : Alignment.MiddleLeft;
    }

    private static void Mark(Plot plot, IReadOnlyList<double> places, double top)
    {
        // Two faults at one place: the second number stands on the other side of the line.
        var near = (places.Count == 0 ? 0 : places.Max()) / 50;
        for (var i = 0; i < places.Count; i++)
        {
            var line = plot.Add.VerticalLine(places[i]);
            line.Color = Colors.Black;
            line.LineWidth = 1.5f;
            line.LinePattern = LinePattern.Dashed;
            var label = plot.Add.Text(string.Create(CultureInfo.InvariantCulture, $" {i + 1} "), places[i], top);
            label.LabelFontSize = 13;
            label.LabelBold = true;
            label.LabelAlignment = i > 0 && places[i] - places[i - 1] < near ? Alignment.MiddleLeft : Alignment.MiddleRight;
        }
    }

    private static string Wrap(string text)
    {
        const int Room = 48;
        if (text.Length <= Room) return text;
        var at = text.LastIndexOf(' ', Room);
        return at < 0 ? text : $"{text[..at]}\n    {Wrap(text[(at + 1)..])}";
    }

    private static double Seconds(RunState run, DateTimeOffset moment) => (moment - run.Started).TotalSeconds;
}
