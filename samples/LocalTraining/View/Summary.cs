using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;

namespace LocalTraining.View;

/// <summary>The table of recoveries at the end: what broke, what was done, and where the time went.</summary>
internal static class Summary
{
    public static void Print(RunState run)
    {
        var recoveries = run.Recoveries();
        if (recoveries.Count == 0) return;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new WideOutput(Console.Out) });
        var table = new Table().Border(TableBorder.Simple).Title("Recoveries (milliseconds from the failure)");
        foreach (var column in new[] { "#", "cause", "culprit", "plan", "detected", "decided", "commanded", "restarted", "barrier", "released", "first step" })
        {
            table.AddColumn(new TableColumn(column) { NoWrap = column is not ("cause" or "plan") });
        }

        foreach (var r in recoveries)
        {
            var t = r.Timing;
            string Ms(DateTimeOffset? moment) => moment is { } m ? (m - t.Failed).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture) : "-";
            table.AddRow(
                (r.Attempt - 1).ToString(CultureInfo.InvariantCulture), Markup.Escape(Short(r.Cause)), Markup.Escape(r.Culprit), Markup.Escape(r.Plan),
                Ms(t.Detected), Ms(t.Decided), Ms(t.Commanded), Ms(t.Restarted), Ms(t.BarrierComplete), Ms(t.Released), Ms(t.FirstStep));
        }

        console.Write(table);
    }

    private static string Short(string text) => text.Length <= 70 ? text : text[..67] + "...";

    /// <summary>A file has no width: as wide as the table needs.</summary>
    private sealed class WideOutput(TextWriter writer) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;
        public bool IsTerminal => !Console.IsOutputRedirected;
        public int Width => Console.IsOutputRedirected ? 200 : Math.Max(100, Console.WindowWidth);
        public int Height => 50;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }
}
