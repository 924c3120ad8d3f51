using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>The table in docs/recovery-decisions.md, between its markers.</summary>
internal static class ScenarioTable
{
    public const string Variable = "GANG_E2E_WRITE_SCENARIOS";
    private const string Begin = "<!-- scenarios: written by ScenarioTests -->", End = "<!-- end of scenarios -->";

    private const string Head = """
        | kind | what was done | what was seen | answer | steps | Pods kept | seconds |
        |---|---|---|---|---|---|---|
        """;

    private static string Path { get; } = Find();

    /// <summary>The rows of the page, without their times.</summary>
    public static List<string> Read()
    {
        var page = File.ReadAllText(Path);
        var (from, to) = Place(page);
        return [.. page[from..to].Split('\n').Where(l => l.StartsWith('|')).Skip(2).Select(l => l[..l.TrimEnd('|', ' ').LastIndexOf(" | ", StringComparison.Ordinal)])];
    }

    public static string Line(ScenarioRow row) => $"| {row.Text}";

    public static void Write(IEnumerable<ScenarioRow> rows)
    {
        var page = File.ReadAllText(Path);
        var table = string.Join('\n', [.. Head.ReplaceLineEndings("\n").Split('\n'), .. rows.Select(r => $"{Line(r)} | {r.Times} |")]);
        var measured = string.Create(CultureInfo.InvariantCulture,
            $"Seconds of {TimeProvider.System.GetUtcNow():yyyy-MM-dd}, on a {RuntimeInformation.OSArchitecture} machine with {Environment.ProcessorCount} processors that ran five of these at a time.");
        var (from, to) = Place(page);
        File.WriteAllText(Path, $"{page[..from]}{table}\n\n{measured}\n{page[to..]}");
    }

    private static (int From, int To) Place(string page) =>
        (page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length + 1, page.IndexOf(End, StringComparison.Ordinal));

    private static string Find([CallerFilePath] string here = "") =>
        System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(here)!, "../../../docs/recovery-decisions.md"));
}
