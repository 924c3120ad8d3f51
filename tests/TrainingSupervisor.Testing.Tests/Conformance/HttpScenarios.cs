using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>Sends the recorded requests to an API server without nodes, after making what they act on.</summary>
internal static class HttpScenarios
{
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string ConfigMaps = "/api/v1/namespaces/default/configmaps";

    public static IEnumerable<Scenario> All()
    {
        foreach (var name in (string[])["http-404", "http-dryrun-create", "http-lease-conflict", "gate-on"])
        {
            yield return Http(name);
        }

        foreach (var name in (string[])["http-409-conflict", "http-409-alreadyexists", "http-409-apply-conflict"])
        {
            yield return Http(name, ConfigMapAsync);
        }

        foreach (var name in (string[])["http-409-pod-put-stale", "http-422-invalid", "http-event-create", "http-pod-status-patch"])
        {
            yield return Http(name, HttpPodAsync);
        }

        yield return Http("http-other-errors", async (stage, exchanges) =>
        {
            await HttpPodAsync(stage, exchanges);
            exchanges.Map("nobody-token", stage.Cluster.CreateToken("nobody"));
        });
        yield return Http("http-delete-precondition-409", DeletedPodAsync);
        yield return Http("http-eviction-pdb-429", GuardedPodAsync);
        yield return Http("http-410-get-exact", OldVersionAsync);
        yield return Http("list-limit-continue", ListedAsync);
        yield return Http("list-expired-continue", ListedAsync, between: (stage, index) =>
        {
            if (index == 1)
            {
                stage.Cluster.Api.CompactHistory();
            }
        });
        foreach (var name in (string[])["gate-rules-off", "gate-emulate-1.33", "gate-emulate-1.34"])
        {
            yield return Http(name, options: o => (o.ContainerRestartRules, o.RestartAllContainers) = (false, false));
        }

        foreach (var name in (string[])["gate-off", "gate-emulate-1.35"])
        {
            yield return Http(name, options: o => o.RestartAllContainers = false);
        }
    }

    private static Scenario Http(
        string name, Func<Stage, HttpExchanges, Task>? prepare = null, Action<EmbeddedClusterOptions>? options = null, Action<Stage, int>? between = null) =>
        new("HTTP", name, async ct =>
        {
            await using var stage = await Stage.StartAsync(o =>
            {
                o.NodeNames.Clear();
                o.NodeCount = 0;
                o.CreateNamespaces = false;
                options?.Invoke(o);
            });
            var exchanges = new HttpExchanges(stage);
            await (prepare?.Invoke(stage, exchanges) ?? Task.CompletedTask);
            var differences = new List<string>();
            var index = 0;
            foreach (var exchange in Recording.Lines("Http", name).Where(l => !l.At("request").Text("path")!.StartsWith("/apis/batch/", StringComparison.Ordinal)))
            {
                between?.Invoke(stage, index++);
                differences.AddRange(await exchanges.PlayAsync(exchange));
            }

            return differences;
        });

    private static async Task ConfigMapAsync(Stage stage, HttpExchanges exchanges)
    {
        // What was there is told by the first request that names it.
        var recorded = Recording.Lines("Http", "http-409-conflict")[0].At("request").At("body")!;
        await stage.CreateAsync(new() { ["metadata"] = new JsonObject { ["name"] = "c1" }, ["data"] = new JsonObject { ["a"] = "1" } }, ConfigMaps);
        Map(exchanges, recorded, stage.Cluster.Store.Get(ResourceType.ConfigMaps, "default", "c1")!);
    }

    private static async Task HttpPodAsync(Stage stage, HttpExchanges exchanges)
    {
        var recorded = Recording.Lines("Http", "http-422-invalid")[^1].At("request").At("body")!;
        var body = (JsonObject)recorded.DeepClone();
        body.Remove("status");
        body["metadata"] = new JsonObject { ["name"] = "httppod", ["labels"] = new JsonObject { ["x"] = "y" } };
        body.At("spec")!.Remove("tolerations");
        body.At("spec")!.Items("containers")![0]!["command"] = new JsonArray("sleep", "1000");
        await stage.CreateAsync(body, Pods);
        Map(exchanges, recorded, stage.Cluster.Store.Get(ResourceType.Pods, "default", "httppod")!);
        var stale = Recording.Lines("Http", "http-409-pod-put-stale")[0].At("request").At("body");
        exchanges.Map(stale.At("metadata").Text("resourceVersion")!, "1");
    }

    private static async Task DeletedPodAsync(Stage stage, HttpExchanges exchanges)
    {
        var message = Recording.Lines("Http", "http-delete-precondition-409").Select(l => l.At("response").At("body").Text("message")!).ToArray();
        await stage.CreateAsync(SmallPod("delpre"), Pods);
        var pod = stage.Cluster.Store.Get(ResourceType.Pods, "default", "delpre")!;
        exchanges.Map(message[0].Split("UID in record (")[1].Split(')')[0], pod.Uid()!);
        exchanges.Map(message[1].Split("ResourceVersion in record (")[1].Split(')')[0], pod.At("metadata").Text("resourceVersion")!);
    }

    private static async Task GuardedPodAsync(Stage stage, HttpExchanges exchanges)
    {
        var pod = SmallPod("eviction-pdb");
        pod["metadata"]!["labels"] = new JsonObject { ["app"] = "eviction-pdb" };
        pod["spec"]!["nodeName"] = "no-such-node";
        await stage.CreateAsync(pod, Pods);
        stage.Cluster.Store.Update(ResourceType.Pods, "default", "eviction-pdb", o =>
        {
            o.Ensure("status")["phase"] = "Running";
            o["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" });
            return o;
        });
        await stage.CreateAsync(new()
        {
            ["apiVersion"] = "policy/v1",
            ["kind"] = "PodDisruptionBudget",
            ["metadata"] = new JsonObject { ["name"] = "evpdb" },
            ["spec"] = new JsonObject
            {
                ["minAvailable"] = 1,
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = "eviction-pdb" } },
            },
        }, "/apis/policy/v1/namespaces/default/poddisruptionbudgets");
    }

    private static async Task OldVersionAsync(Stage stage, HttpExchanges exchanges)
    {
        await stage.CreateAsync(new() { ["metadata"] = new JsonObject { ["name"] = "c1" } }, ConfigMaps);
        exchanges.Map("2390", stage.Cluster.Store.ResourceVersion.ToString(CultureInfo.InvariantCulture));
        await stage.CreateAsync(new() { ["metadata"] = new JsonObject { ["name"] = "c2" } }, ConfigMaps);
        stage.Cluster.Api.CompactHistory();
        var now = stage.Cluster.Store.ResourceVersion;
        exchanges.Map("1002392", (now + 1_000_000).ToString(CultureInfo.InvariantCulture));
        exchanges.Map("2409", now.ToString(CultureInfo.InvariantCulture));
    }

    private static async Task ListedAsync(Stage stage, HttpExchanges exchanges)
    {
        var items = Recording.Lines("Http", "list-limit-continue").SelectMany(l => l.At("response").At("body").Items("items")!).OfType<JsonObject>();
        foreach (var item in items)
        {
            await stage.CreateAsync(new()
            {
                ["metadata"] = new JsonObject { ["name"] = item.Name(), ["annotations"] = item.At("metadata")?["annotations"]?.DeepClone() },
                ["data"] = item["data"]?.DeepClone(),
            }, ConfigMaps);
        }
    }

    private static JsonObject SmallPod(string name) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "x" }) },
    };

    private static void Map(HttpExchanges exchanges, JsonObject recorded, JsonObject ours)
    {
        foreach (var field in (ReadOnlySpan<string>)["uid", "resourceVersion"])
        {
            if (recorded.At("metadata").Text(field) is { } theirs)
            {
                exchanges.Map(theirs, ours.At("metadata").Text(field)!);
            }
        }
    }
}
