using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace LocalTraining.View;

/// <summary>Shows a run while it goes on: a live table on a terminal, plain lines elsewhere.</summary>
internal static class LiveView
{
    public static async Task ShowAsync(RunState run, bool plain, Task finished)
    {
        if (plain || Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive)
        {
            await PlainAsync(run, finished);
            return;
        }

        await AnsiConsole.Live(Render(run)).AutoClear(false).StartAsync(async context =>
        {
            while (!finished.IsCompleted)
            {
                context.UpdateTarget(Render(run));
                await Task.WhenAny(finished, Task.Delay(150));
            }

            context.UpdateTarget(Render(run));
        });
        await finished;
    }

    private static async Task PlainAsync(RunState run, Task finished)
    {
        void Write(EventLine e) => Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{(e.At - run.Started).TotalSeconds,7:0.00} s  step {run.Step,4}/{run.Steps}  {e.Level,-7} {e.Text}"));
        foreach (var e in run.Events()) Write(e);
        run.Happened += Write;
        try
        {
            await finished;
        }
        finally
        {
            run.Happened -= Write;
        }
    }

    private static Rows Render(RunState run)
    {
        var table = new Table().Border(TableBorder.Rounded).Title($"[bold]{Markup.Escape(run.Title)}[/]").Expand();
        foreach (var column in new[] { "rank", "worker", "pod", "node", "state", "attempt", "step" }) table.AddColumn(column);
        foreach (var w in run.Status?.Workers ?? [])
        {
            table.AddRow(
                new Markup(w.Rank < 0 ? "[grey]-[/]" : w.Rank.ToString(CultureInfo.InvariantCulture)),
                new Markup(Markup.Escape(w.Worker ?? "spare")),
                new Markup(Markup.Escape(w.Pod)),
                new Markup(Markup.Escape(w.Node ?? "")),
                new Markup(Colour(w.State)),
                new Markup(w.Attempt == 0 ? "" : w.Attempt.ToString(CultureInfo.InvariantCulture)),
                new Markup(w.Step < 0 ? "" : w.Step.ToString(CultureInfo.InvariantCulture)));
        }

        var done = Math.Clamp(run.Step / (double)run.Steps, 0, 1);
        var bar = new BreakdownChart().HideTags().HideTagValues().Width(60)
            .AddItem("done", Math.Max(0.001, done), Color.Green).AddItem("left", Math.Max(0.001, 1 - done), Color.Grey23);
        var head = new Markup(string.Create(CultureInfo.InvariantCulture,
            $"[bold]{run.Status?.Phase ?? "Pending"}[/]  attempt {run.Status?.Attempt ?? 0}  step {run.Step}/{run.Steps}   [grey]next fault:[/] {Markup.Escape(run.NextFault.Length == 0 ? "none" : run.NextFault)}"));
        var lines = run.Events().TakeLast(9).Select(e => (IRenderable)new Markup(string.Create(CultureInfo.InvariantCulture,
            $"[grey]{(e.At - run.Started).TotalSeconds,7:0.00} s[/] {Level(e)}")) { Overflow = Overflow.Ellipsis });
        return new Rows(table, head, bar, new Panel(new Rows(lines)).Header("events").Expand());
    }

    private static string Level(EventLine e) => e.Level switch
    {
        "fault" => $"[bold magenta]{Markup.Escape(e.Text)}[/]",
        "warning" => $"[yellow]{Markup.Escape(e.Text)}[/]",
        "error" => $"[red]{Markup.Escape(e.Text)}[/]",
        _ => Markup.Escape(e.Text),
    };

    private static string Colour(string state) => state switch
    {
        "Running" => "[green]Running[/]",
        "Waiting" => "[blue]Waiting[/]",
        "Lost" or "Exited" => $"[red]{state}[/]",
        _ => $"[yellow]{state}[/]",
    };
}
