using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace LocalTraining.View;

/// <summary>One picture of a run that fits a terminal of this size: every line is one line, and none is below the edge.</summary>
internal sealed class Screen(RunState run, int width, int height) : IRenderable
{
    private const int HeadLines = 4;
    private const int LeastEvents = 5;
    private const int LeastWidth = 44;

    // The last line stays empty: with it full, the terminal would scroll at each picture.
    private readonly int _height = Math.Max(height - 1, HeadLines + LeastEvents + 3);
    private readonly int _width = Math.Max(width, LeastWidth);

    public Measurement Measure(RenderOptions options, int maxWidth) => ((IRenderable)Build()).Measure(options, maxWidth);

    public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => ((IRenderable)Build()).Render(options, maxWidth);

    private Rows Build()
    {
        var workers = run.Status?.Workers ?? [];
        var block = new WorkerLines(run, workers, _width, _height - HeadLines - LeastEvents - 3);
        var rest = workers.Count - block.Shown;
        var lines = new List<IRenderable>
        {
            Line($"[bold]{Escape(run.Title)}[/]"),
            Line(string.Create(CultureInfo.InvariantCulture, $"[bold]{run.Status?.Phase ?? "Pending"}[/], attempt {run.Status?.Attempt ?? 0}, step {run.Step} of {run.Steps}")),
            Bar(),
            Line($"[grey]next fault: {Escape(Cut(run.NextFault.Length == 0 ? "none" : run.NextFault, _width - 12))}[/]"),
        };
        lines.AddRange(block.Markup().Select(Line));
        if (rest > 0) lines.Add(Line($"[grey]{Escape(Cut($"and {rest} more: {Counts(workers.Skip(block.Shown))}", _width))}[/]"));
        lines.Add(new Rule("[grey]events[/]") { Justification = Justify.Left, Style = Style.Parse("grey") });
        var room = _height - HeadLines - block.Rows - 2 - (rest > 0 ? 1 : 0);
        lines.AddRange(run.Events().TakeLast(room).Select(Event));
        return new Rows(lines);
    }

    private Markup Bar()
    {
        var room = _width - 8;
        var share = Math.Clamp(run.Step / (double)run.Steps, 0, 1);
        var done = (int)(room * share);
        return Line(string.Create(CultureInfo.InvariantCulture, $"[green]{new string('█', done)}[/][grey]{new string('░', room - done)}[/] {share,4:0 %}"));
    }

    private Markup Event(EventLine e)
    {
        var text = Escape(Cut(e.Text, _width - 11));
        return Line(string.Create(CultureInfo.InvariantCulture, $"[grey]{(e.At - run.Started).TotalSeconds,7:0.00} s[/] {Tone(e.Level, text)}"));
    }

    private static string Tone(string level, string text) => level switch
    {
        "fault" => $"[bold magenta]{text}[/]",
        "warning" => $"[yellow]{text}[/]",
        "error" => $"[red]{text}[/]",
        _ => text,
    };

    private string Counts(IEnumerable<WorkerLine> workers) =>
        string.Join(", ", workers.GroupBy(run.StateOf).OrderByDescending(g => g.Count()).Select(g => $"{g.Count()} {g.Key}"));

    private static Markup Line(string markup) => new(markup) { Overflow = Overflow.Ellipsis };

    /// <summary>The first line of the text, as far as it fits.</summary>
    private static string Cut(string text, int room)
    {
        var line = text.Split('\n', 2)[0].TrimEnd();
        return line.Length <= room ? line : line[..(room - 1)] + "…";
    }

    private static string Escape(string text) => Markup.Escape(text);
}
