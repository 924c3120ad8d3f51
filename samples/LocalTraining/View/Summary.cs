using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;

namespace LocalTraining.View;

/// <summary>The tables of recoveries at the end: what broke, what was done, and where the time went.</summary>
internal static class Summary
{
    private const int LeastWidth = 80;

    public static void Print(RunState run)
    {
        var recoveries = run.Recoveries();
        Print(recoveries, Console.Out, Console.IsOutputRedirected ? 120 : Math.Max(LeastWidth, AnsiConsole.Profile.Width));
        var untold = Math.Max(0, run.PlannedAttempt - 1 - recoveries.Count);
        if (untold > 0) Console.WriteLine($"and {untold} more whose end no supervisor has told: another took over before the first step");
    }

    public static void Print(IReadOnlyList<RecoveryLine> recoveries, TextWriter output, int width)
    {
        if (recoveries.Count == 0) return;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new Paper(output, width) });
        console.WriteLine("Recoveries");
        console.Write(What(recoveries));
        console.WriteLine("Where the time went: milliseconds since the failure");
        console.Write(When(recoveries));
        if (recoveries.Any(r => r.Timing.Commanded is null)) console.WriteLine("-: done by a supervisor that was killed before it could say when");
    }

    private static Table What(IReadOnlyList<RecoveryLine> recoveries)
    {
        var table = TableOf("attempt", "cause", "culprit", "plan");
        foreach (var r in recoveries)
        {
            table.AddRow(Number(r.Attempt), Markup.Escape(r.Cause), Markup.Escape(r.Culprit), Markup.Escape(r.Plan));
        }

        return table;
    }

    private static Table When(IReadOnlyList<RecoveryLine> recoveries)
    {
        var table = TableOf("attempt", "detected", "decided", "commanded", "restarted", "barrier\ncomplete", "released", "first\nstep");
        foreach (var column in table.Columns) column.RightAligned().NoWrap();
        foreach (var r in recoveries)
        {
            var t = r.Timing;
            string Ms(DateTimeOffset? moment) => moment is { } m ? (m - t.Failed).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture) : "-";
            table.AddRow(
                Number(r.Attempt), Ms(t.Detected), Ms(t.Decided), Ms(t.Commanded), Ms(t.Restarted), Ms(t.BarrierComplete), Ms(t.Released), Ms(t.FirstStep));
        }

        return table;
    }

    private static Table TableOf(params string[] columns)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns) table.AddColumn(new TableColumn(column) { Padding = new Padding(0, 0, 1, 0) });
        return table;
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Text of a given width, whatever it is written to.</summary>
    private sealed class Paper(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;
        public bool IsTerminal => false;
        public int Width => width;
        public int Height => 50;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }
}
