using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;

namespace LocalTraining.View;

/// <summary>
/// The workers as lines of text, in as many blocks side by side as it takes. Not a table of the console library: that wraps cells when it is
/// short of room, and then the picture does not fit the terminal any more.
/// </summary>
internal sealed class WorkerLines
{
    private const string BlockGap = "   ";
    private static readonly string[] Narrow = ["rank", "node", "state", "attempt", "step"];
    private static readonly string[] Wide = ["rank", "worker", "Pod", "node", "state", "attempt", "step"];
    private readonly string[] _columns;
    private readonly List<(string[] Cells, string State)> _rows;
    private readonly int[] _widths;
    private readonly string _gap = "  ";

    public WorkerLines(RunState run, IReadOnlyList<WorkerLine> workers, int width, int mostRows)
    {
        (_columns, _rows, _widths) = Lay(run, workers, Wide);
        if (BlockWidth > width || workers.Count > mostRows)
        {
            (_columns, _rows, _widths) = Lay(run, workers, Narrow);
            _gap = " ";
        }

        Blocks = Math.Max(1, Math.Min((width + BlockGap.Length) / (BlockWidth + BlockGap.Length), (workers.Count + mostRows - 1) / Math.Max(1, mostRows)));
        Shown = Math.Min(workers.Count, Blocks * Math.Max(1, mostRows));
        Rows = (Shown + Blocks - 1) / Blocks;
    }

    public int Blocks { get; }

    /// <summary>How many workers have room.</summary>
    public int Shown { get; }

    /// <summary>How many lines that takes, without the heading.</summary>
    public int Rows { get; }

    private int BlockWidth => _widths.Sum() + (_gap.Length * (_widths.Length - 1));

    public IEnumerable<string> Markup()
    {
        var heading = string.Join(_gap, _columns.Select((c, i) => c.PadRight(_widths[i])));
        yield return $"[grey]{string.Join(BlockGap, Enumerable.Repeat(heading, Math.Max(1, Blocks))).TrimEnd()}[/]";
        for (var row = 0; row < Rows; row++)
        {
            var here = row;
            yield return string.Join(BlockGap, Enumerable.Range(0, Blocks).Select(b => (b * Rows) + here).Where(i => i < Shown).Select(Row));
        }
    }

    private string Row(int index)
    {
        var (cells, state) = _rows[index];
        return string.Join(_gap, cells.Select((c, i) =>
        {
            var text = Spectre.Console.Markup.Escape(c.PadRight(_widths[i]));
            return _columns[i] == "state" ? $"[{Colour(state)}]{text}[/]" : text;
        }));
    }

    private static (string[] Columns, List<(string[] Cells, string State)> Rows, int[] Widths) Lay(RunState run, IReadOnlyList<WorkerLine> workers, string[] columns)
    {
        var rows = workers.Select(w => (columns.Select(c => Cell(run, w, c)).ToArray(), run.StateOf(w))).ToList();
        return (columns, rows, [.. columns.Select((c, i) => Math.Max(c == "state" ? "Restarting".Length : c.Length, rows.Select(r => r.Item1[i].Length).DefaultIfEmpty(0).Max()))]);
    }

    private static string Cell(RunState run, WorkerLine w, string column) => column switch
    {
        "rank" => w.Rank < 0 ? "spare" : Number(w.Rank),
        "worker" => w.Worker ?? "",
        "Pod" => w.Pod,
        "node" => w.Node ?? "",
        "state" => run.StateOf(w),
        "attempt" => w.Attempt < 1 ? "" : Number(w.Attempt),
        _ => w.Step < 0 ? "" : Number(w.Step),
    };

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Colour(string state) => state switch
    {
        "Running" or RunState.Done => "green",
        "Waiting" => "blue",
        "Lost" or "Exited" => "red",
        _ => "yellow",
    };
}
