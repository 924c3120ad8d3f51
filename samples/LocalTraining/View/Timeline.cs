using System.Globalization;
using ScottPlot;

namespace LocalTraining.View;

/// <summary>The run as a picture: the loss by step, and by rank what each did when.</summary>
internal static class Timeline
{
    private static readonly (string State, string Name, string Colour)[] States =
    [
        ("Running", "training", "#2e9e5b"),
        ("Waiting", "waiting at the barrier", "#3b7dd8"),
        ("Restarting", "restarting", "#e8b23a"),
        ("Exited", "ended, agent holds", "#d9534f"),
        ("Lost", "lost", "#7a1f1f"),
        ("Silent", "silent", "#8a6d9e"),
        ("Pending", "Pod starts", "#b8b8b8"),
    ];

    public static void Save(RunState run, string lossFile, string path)
    {
        var multi = new Multiplot();
        multi.AddPlots(2);
        Loss(multi.GetPlot(0), lossFile);
        Ranks(multi.GetPlot(1), run);
        multi.SavePng(path, 1400, 900);
    }

    private static void Loss(Plot plot, string lossFile)
    {
        plot.Title("Loss by step; each attempt goes on from the last checkpoint");
        plot.XLabel("step");
        plot.YLabel("loss");
        if (!File.Exists(lossFile)) return;
        var rows = File.ReadAllLines(lossFile).Select(l => l.Split(',')).Where(p => p.Length == 4)
            .Select(p => (Step: Number(p[0]), Loss: Number(p[1]), Attempt: (int)Number(p[2]))).ToList();
        foreach (var attempt in rows.GroupBy(r => r.Attempt).OrderBy(g => g.Key))
        {
            var line = plot.Add.ScatterLine(attempt.Select(r => r.Step).ToArray(), attempt.Select(r => r.Loss).ToArray());
            line.LegendText = string.Create(CultureInfo.InvariantCulture, $"attempt {attempt.Key}");
            line.LineWidth = 2;
        }

        plot.ShowLegend(Alignment.UpperRight);
    }

    private static void Ranks(Plot plot, RunState run)
    {
        var spans = run.Spans();
        plot.Title("What each rank did; dashed lines are the faults");
        plot.XLabel("seconds");
        plot.YLabel("rank");
        if (spans.Count == 0) return;
        var end = spans.Max(s => s.From);
        foreach (var rank in spans.GroupBy(s => s.Rank))
        {
            var list = rank.OrderBy(s => s.From).ToList();
            for (var i = 0; i < list.Count; i++)
            {
                var until = i + 1 < list.Count ? list[i + 1].From : end;
                var style = States.FirstOrDefault(s => s.State == list[i].State);
                var bar = plot.Add.Rectangle(Seconds(run, list[i].From), Seconds(run, until), rank.Key - 0.4, rank.Key + 0.4);
                bar.FillColor = Color.FromHex(style.Colour ?? "#cccccc");
                bar.LineWidth = 0;
            }
        }

        var height = 0;
        foreach (var fault in run.Events().Where(e => e.Level == "fault"))
        {
            height = (height + 1) % 4;
            var line = plot.Add.VerticalLine(Seconds(run, fault.At));
            line.Color = Colors.Black;
            line.LineWidth = 1.5f;
            line.LinePattern = LinePattern.Dashed;
            var label = plot.Add.Text(fault.Text.Length <= 44 ? fault.Text : fault.Text[..41] + "...", Seconds(run, fault.At), spans.Max(s => s.Rank) + 0.9 + (0.7 * height));
            label.LabelFontSize = 12;
            label.LabelBackgroundColor = Colors.White.WithAlpha(0.8);
        }

        plot.Legend.ManualItems.AddRange(States.Where(s => spans.Any(x => x.State == s.State))
            .Select(s => new LegendItem { LabelText = s.Name, FillColor = Color.FromHex(s.Colour) }));
        plot.ShowLegend(Edge.Bottom);
        plot.Axes.SetLimitsY(-0.7, spans.Max(s => s.Rank) + 4);
    }

    private static double Seconds(RunState run, DateTimeOffset moment) => (moment - run.Started).TotalSeconds;

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
