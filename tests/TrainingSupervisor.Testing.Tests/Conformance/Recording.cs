using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>Reads the recordings of a real cluster, which lie beside the tests.</summary>
internal static class Recording
{
    private static readonly string s_root = Path.Combine(AppContext.BaseDirectory, "Recordings");

    public static JsonObject Manifest(string name) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(s_root, "Manifests", name + ".json")))!;

    public static IReadOnlyList<JsonObject> Lines(string folder, string name) =>
        [.. File.ReadLines(Path.Combine(s_root, folder, name + ".jsonl")).Select(l => (JsonObject)JsonNode.Parse(l)!)];

    public static IReadOnlyList<string> Names(string folder) =>
        [.. Directory.EnumerateFiles(Path.Combine(s_root, folder)).Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)];

    /// <summary>The states of one Pod, each with how long it lasted; the last for ever.</summary>
    public static IReadOnlyList<TimedState> Pod(string name, string? pod = null) => States(Lines("Pods", name).Where(l => pod is null || l.At("object")!.Name() == pod), PodStates.Describe);

    public static IReadOnlyList<TimedState> Node(string name) => States(Lines("Nodes", name), (_, node) => NodeStates.Describe(node));

    private static List<TimedState> States(IEnumerable<JsonObject> lines, Func<string, JsonObject, string> describe)
    {
        var found = new List<(double Time, string State)>();
        foreach (var line in lines)
        {
            var state = describe(line.Text("type")!, line.At("object")!);
            if (found.Count == 0 || found[^1].State != state)
            {
                found.Add((line["t"]!.GetValue<double>(), state));
            }
        }

        return [.. found.Select((f, i) => new TimedState(f.State, i + 1 < found.Count ? found[i + 1].Time - f.Time : double.PositiveInfinity))];
    }
}

/// <summary>A state, and for how many seconds a watcher saw it.</summary>
internal sealed record TimedState(string State, double Seconds);
