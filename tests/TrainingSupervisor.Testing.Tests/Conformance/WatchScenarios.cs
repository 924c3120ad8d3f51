using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>The recorded watches, with shorter timeouts.</summary>
internal static class WatchScenarios
{
    private const string Pods = "/api/v1/namespaces/default/pods";

    public static IEnumerable<Scenario> All()
    {
        foreach (var name in (string[])["watch-too-old-rv", "watch-too-old-rv-bookmarks", "watch-too-old-rv-uncached-events"])
        {
            yield return Watch(name, async (stage, path) =>
            {
                await ChangeAsync(stage, "old");
                await stage.CreateAsync(new()
                {
                    ["metadata"] = new JsonObject { ["name"] = "e" },
                    ["involvedObject"] = new JsonObject { ["namespace"] = "default" },
                }, "/api/v1/namespaces/default/events");
                stage.Cluster.Api.CompactHistory();
                return await ReadAsync(stage, path);
            });
        }

        yield return Watch("watch-future-rv", (stage, path) => ReadAsync(stage, path
            .Replace("1002392", (stage.Cluster.Store.ResourceVersion + 1_000_000).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        yield return Watch("watch-apiserver-restart", async (stage, path) =>
        {
            var reading = ReadAsync(stage, path.Replace("2392", Version(stage), StringComparison.Ordinal));
            await Stage.PollAsync(() => stage.Cluster.Api.OpenWatches == 1);
            await stage.Cluster.Api.RestartServerAsync();
            return await reading;
        });
        yield return Watch("watch-list-initial-events", async (stage, path) =>
        {
            await ChangeAsync(stage, "bm");
            var reading = ReadAsync(stage, path);
            await Stage.PollAsync(() => stage.Cluster.Api.OpenWatches == 1);
            await ChangeAsync(stage, "later");
            return await reading;
        });
        yield return Watch("watch-bookmarks", async (stage, path) =>
        {
            var reading = ReadAsync(stage, path.Replace("2438", Version(stage), StringComparison.Ordinal));
            await ChangeAsync(stage, "bm");
            return await reading;
        });
    }

    private static Scenario Watch(string name, Func<Stage, string, Task<IReadOnlyList<JsonObject>>> play) => new("Watches", name, async _ =>
    {
        await using var stage = await Stage.StartAsync(o =>
        {
            o.NodeNames.Clear();
            o.NodeCount = 0;
            o.BookmarkInterval = TimeSpan.FromSeconds(0.5);
        });
        var recorded = Recording.Lines("Watches", name);
        var path = recorded[0].At("request").Text("path")!.Replace("timeoutSeconds=75", "timeoutSeconds=2", StringComparison.Ordinal)
            .Replace("timeoutSeconds=10", "timeoutSeconds=2", StringComparison.Ordinal);
        return Compare(recorded.Skip(1).Select(Describe), (await play(stage, path)).Select(Describe));
    });

    /// <summary>
    /// How many changes there are is the test's own matter: runs of them count as one. A shorter watch may end earlier, but must have
    /// had every kind of line.
    /// </summary>
    private static IReadOnlyList<string> Compare(IEnumerable<string> recorded, IEnumerable<string> ours)
    {
        var (theirs, mine) = (Collapse(recorded), Collapse(ours));
        var same = theirs.ToHashSet().SetEquals(mine) && (theirs.SequenceEqual(mine)
            || (theirs.Count > mine.Count && mine.Count > 1 && theirs[..(mine.Count - 1)].SequenceEqual(mine[..^1]) && theirs[^1] == mine[^1]));
        return same ? [] : [$"recorded:\n    {string.Join("\n    ", theirs)}\nhere:\n    {string.Join("\n    ", mine)}"];
    }

    private static List<string> Collapse(IEnumerable<string> lines)
    {
        var result = new List<string>();
        foreach (var line in lines)
        {
            if (result.Count == 0 || result[^1] != line)
            {
                result.Add(line);
            }
        }

        return result;
    }

    private static string Describe(JsonObject line)
    {
        if (line["eof"] is not null)
        {
            return "end of stream";
        }

        var type = line.Text("type")!;
        if (type is not ("BOOKMARK" or "ERROR"))
        {
            return "change";
        }

        var obj = line.At("object")!.Clone();
        if (type == "BOOKMARK")
        {
            obj.Metadata()["resourceVersion"] = "0";
        }
        else
        {
            // "too old resource version: 1 (2402)"
            obj["message"] = System.Text.RegularExpressions.Regex.Replace(obj.Text("message")!, @"\d+", "0");
        }

        return $"{type} {obj.ToJsonString()}";
    }

    private static async Task ChangeAsync(Stage stage, string name)
    {
        await stage.CreateAsync(new()
        {
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "x" }) },
        });
    }

    private static string Version(Stage stage) => stage.Cluster.Store.ResourceVersion.ToString(CultureInfo.InvariantCulture);

    private static async Task<IReadOnlyList<JsonObject>> ReadAsync(Stage stage, string path)
    {
        var lines = new List<JsonObject>();
        using var response = await stage.Client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(200, (int)response.StatusCode);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line)
        {
            lines.Add((JsonObject)JsonNode.Parse(line)!);
        }

        lines.Add(new() { ["eof"] = true });
        return lines;
    }
}
