using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

/// <summary>A store with nodes, without an API server.</summary>
internal sealed class KubeletFixture : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("kubelet-tests-");

    public KubeletFixture(KubeletOptions? options = null, TimeSpan? lease = null, params (string Name, NodeOptions? Options)[] nodes)
        : this(TimeProvider.System, options, lease, nodes)
    {
    }

    public KubeletFixture(TimeProvider time, KubeletOptions? options, TimeSpan? lease, params (string Name, NodeOptions? Options)[] nodes)
    {
        Store = new(time);
        Plane = new(Store, time, options ?? new(), _directory.FullName, lease ?? TimeSpan.FromSeconds(40),
            () => new("http://127.0.0.1:1234"));
        Plane.Start();
        foreach (var (name, node) in nodes.Length > 0 ? nodes : [("node-1", null)])
        {
            Plane.AddNode(name, node);
        }
    }

    public ObjectStore Store { get; }

    public NodePlane Plane { get; }

    public static JsonObject Shell(string name, string script, string? extra = null)
    {
        var container = new JsonObject { ["name"] = name, ["image"] = "test", ["command"] = new JsonArray("/bin/sh", "-c", script) };
        foreach (var (key, value) in (JsonObject)JsonNode.Parse($"{{{extra}}}")!)
        {
            container[key] = value?.DeepClone();
        }

        return container;
    }

    public JsonObject Create(string name, JsonObject[] containers, string restartPolicy = "Never", string? spec = null, JsonObject[]? init = null, string? labels = null)
    {
        var pod = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default", ["labels"] = JsonNode.Parse($"{{{labels}}}") },
            ["spec"] = new JsonObject { ["restartPolicy"] = restartPolicy, ["terminationGracePeriodSeconds"] = 5 },
            ["status"] = new JsonObject { ["phase"] = "Pending" },
        };
        foreach (var (key, value) in (JsonObject)JsonNode.Parse($"{{{spec}}}")!)
        {
            pod["spec"]![key] = value?.DeepClone();
        }

        pod["spec"]!["containers"] = new JsonArray([.. containers]);
        if (init is not null)
        {
            pod["spec"]!["initContainers"] = new JsonArray([.. init]);
        }

        return Store.Create(ResourceType.Pods, pod);
    }

    /// <summary>The first version of a Pod, from a version on, that satisfies a condition.</summary>
    public async Task<JsonObject> WaitAsync(string pod, Func<JsonObject, bool> condition, long from = 0)
    {
        using var timeout = new CancellationTokenSource(s_patience);
        JsonObject? last = null;
        try
        {
            await foreach (var change in Store.WatchAsync(ResourceType.Pods, from, timeout.Token))
            {
                if (change.Object.Name() == pod && change.Type != WatchType.Deleted)
                {
                    last = change.Object;
                    if (condition(last))
                    {
                        return last;
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
        }

        throw new TimeoutException($"{last?["status"]} {string.Join('\n', Plane.Context.Errors)}");
    }

    public Task<JsonObject> WaitForPhaseAsync(string pod, string phase) => WaitAsync(pod, p => p.At("status").Text("phase") == phase);

    public Task<JsonObject> WaitForReadyAsync(string pod, long from = 0) => WaitAsync(pod, p => Condition(p, "Ready") == "True", from);

    /// <summary>All versions of a Pod's status up to now, without repetitions, as short lines.</summary>
    public async Task<List<string>> HistoryAsync(string pod)
    {
        var lines = new List<string>();
        var until = Store.ResourceVersion;
        var marker = Store.Create(ResourceType.Pods, new() { ["metadata"] = new JsonObject { ["name"] = $"marker-{until}", ["namespace"] = "default" }, ["spec"] = new JsonObject { ["schedulerName"] = "none" } });
        await foreach (var change in Store.WatchAsync(ResourceType.Pods, 0, CancellationToken.None))
        {
            if (change.Object.Uid() == marker.Uid())
            {
                return lines;
            }

            if (change.Object.Name() == pod && Line(change.Object) is var line && lines.LastOrDefault() != line)
            {
                lines.Add(line);
            }
        }

        return lines;
    }

    public static string? Condition(JsonObject pod, string type) => Conditions(pod, type).Text("status");

    public static JsonObject? Conditions(JsonObject pod, string type) =>
        pod.At("status").Items("conditions")?.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);

    public static JsonObject Status(JsonObject pod, string container) =>
        (pod.At("status").Items("containerStatuses") ?? []).Concat(pod.At("status").Items("initContainerStatuses") ?? [])
            .OfType<JsonObject>().FirstOrDefault(s => s.Text("name") == container) ?? [];

    public string Log(string pod, string container = "main") =>
        Plane.Worker("default", pod).LogFile(container) is var file && File.Exists(file) ? File.ReadAllText(file) : "";

    /// <summary>For what nothing announces: files and processes.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var timeout = new CancellationTokenSource(s_patience);
        while (!condition())
        {
            await Task.Delay(5, timeout.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Plane.DisposeAsync();
        _directory.Delete(recursive: true);
        Assert.Empty(Plane.Context.Errors);
    }

    private static string Line(JsonObject pod)
    {
        var containers = (pod.At("status").Items("initContainerStatuses") ?? []).Concat(pod.At("status").Items("containerStatuses") ?? [])
            .OfType<JsonObject>().Select(s => $"{s.Text("name")}={State(s.At("state"))}#{s.Number("restartCount")} last={State(s.At("lastState"))} {(s["ready"]!.GetValue<bool>() ? 'T' : 'F')}");
        return $"{pod.At("status").Text("phase")} ARS={Condition(pod, "AllContainersRestarting")?[0]} Init={Condition(pod, "Initialized")?[0]} "
            + $"Ready={Condition(pod, "Ready")?[0]} PRSC={Condition(pod, "PodReadyToStartContainers")?[0]} | {string.Join(' ', containers)}";
    }

    private static string State(JsonObject? state) =>
        state.At("waiting") is { } w ? $"W:{w.Text("reason")}"
        : state.At("running") is not null ? "R"
        : state.At("terminated") is { } t ? $"T:{t.Number("exitCode")}/{t.Text("reason")}"
        : "-";
}
