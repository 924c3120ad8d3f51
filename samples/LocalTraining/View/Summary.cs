using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;
using TrainingSupervisor;

namespace LocalTraining.View;

/// <summary>The tables of recoveries at the end: what broke, what was done, and where the time went.</summary>
internal static class Summary
{
    private const int LeastWidth = 80;

    public static void Print(RunState run, IReadOnlyList<LossLine> losses)
    {
        var recoveries = run.Recoveries();
        Print(recoveries, losses, Console.Out, Console.IsOutputRedirected ? 120 : Math.Max(LeastWidth, AnsiConsole.Profile.Width));
        var untold = Math.Max(0, run.PlannedAttempt - 1 - recoveries.Count);
        if (untold > 0) Console.WriteLine($"and {untold} more whose end no supervisor has told: another took over before the first step");
        foreach (var line in Lines(run, losses)) Console.WriteLine(line);
    }

    /// <summary>What moved, who was slow, and what all of it cost.</summary>
    public static IEnumerable<string> Lines(RunState run, IReadOnlyList<LossLine> losses)
    {
        foreach (var r in run.Recoveries().Where(r => r.Cost.Length > 0)) yield return $"attempt {r.Attempt}: {r.Cost}";
        foreach (var move in run.Moves()) yield return $"moved in attempt {move.Attempt}: {run.Words(move)}";
        foreach (var s in run.Stragglers()) yield return $"straggler: rank {s.Rank}, {s.Who}: {s.Evidence}";
        var resumed = Enumerable.Range(2, Math.Max(0, run.PlannedAttempt - 1)).Select(a => Resumption.In(losses, a)).OfType<Resumption>().ToList();
        foreach (var r in run.Recoveries().Where(r => r.Cause.StartsWith(nameof(FailureKind.NodeDraining), StringComparison.Ordinal)))
        {
            if (resumed.Find(x => x.Attempt == r.Attempt) is { } after) yield return $"drained node: {r.Culprit} moved after step {after.After}, {after.LostText}";
        }

        if (resumed.Count > 0) yield return $"steps lost in all recoveries: {resumed.Sum(r => r.Lost)} of {run.Steps}";
    }

    public static void Print(IReadOnlyList<RecoveryLine> recoveries, IReadOnlyList<LossLine> losses, TextWriter output, int width)
    {
        if (recoveries.Count == 0) return;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new Paper(output, width) });
        console.WriteLine("Recoveries");
        console.Write(What(recoveries, losses));
        console.WriteLine("Where the time went: milliseconds since the failure");
        console.Write(When(recoveries));
        if (recoveries.Any(r => r.Timing.Commanded is null)) console.WriteLine("-: done by a supervisor that was killed before it could say when");
    }

    private static Table What(IReadOnlyList<RecoveryLine> recoveries, IReadOnlyList<LossLine> losses)
    {
        var table = TableOf("attempt", "cause", "culprit", "plan", "steps\nlost");
        table.Columns[^1].RightAligned().NoWrap();
        foreach (var r in recoveries)
        {
            var lost = Resumption.In(losses, r.Attempt) is { } resumed ? Number(resumed.Lost) : "-";
            table.AddRow(Number(r.Attempt), Markup.Escape(r.Cause), Markup.Escape(r.Culprit), Markup.Escape(r.Plan), lost);
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
