using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>Plays the recorded manifests, and does what was done to them when they were recorded.</summary>
internal static class PodScenarios
{
    private const string Pods = "/api/v1/namespaces/default/pods";

    public static IEnumerable<Scenario> All()
    {
        foreach (var name in (string[])[
            "pod-succeeded", "pod-succeeded-init-sidecar", "crash-never-exit1", "start-error-never", "unschedulable",
            "liveness-restart", "ra-fast-peers", "ra-ignore-term", "ra-init", "ra-liveness", "ra-nomatch", "ra-pod-always",
            "ra-single", "ra-then-fail", "restart-all", "restart-all-sidecar", "restart-all-x4", "restart-rule-single"])
        {
            yield return Pod(name);
        }

        // Its readiness probe waits 2 s, which must be less than main sleeps.
        yield return Pod("ra-probe-prestop", pace: 1) with { Note = "at its own pace" };
        yield return Pod("active-deadline");
        yield return Pod("crash-always", options: ShortBackOff);
        yield return Pod("ra-backoff", options: ShortBackOff);
        yield return Pod("image-never-present", before: s => s.Cluster.MakeImageUnavailable("localhost/nope:1"));
        yield return Pod("signal9-never", Kill());
        yield return Pod("ra-signal9", Kill());
        foreach (var name in (string[])["oomkilled-never", "oomkilled-child", "ra-oom"])
        {
            yield return Pod(name, Kill(outOfMemory: true)) with { Note = "the kernel's kill is injected by KillContainerAsync(outOfMemory: true)" };
        }

        yield return Pod("delete-grace", (s, _) => SendRecordedAsync(s, "delete-grace.response"));
        yield return Pod("delete-force0", (s, _) => SendRecordedAsync(s, "delete-force0.response"));
        yield return Pod("eviction", (s, _) => SendRecordedAsync(s, "eviction.response"));
        yield return Pod("ra-delete-during", AtRestart((s, _) => SendRecordedAsync(s, "ra-delete-during.delete-response")));
        yield return Pod("evict-emptydir-limit", options: QuickEviction);
        yield return Pod("evict-emptydir-limit-137", options: QuickEviction);
        yield return Pod("ra-kubelet-restart", AtRestart(RestartKubeletAsync));
        yield return Pod("kubelet-gateoff-running-pod", GateOffAsync);
        yield return Pod("kubelet-gateoff-nodename", before: s => s.Node.RemoveFeature().Wait());
        yield return Pod("kubelet-gateoff-unschedulable", before: s => s.Node.RemoveFeature().Wait());
        yield return Pod("podgc-node-deleted", options: o => o.NodeLeaseDuration = TimeSpan.FromSeconds(2));
        yield return new("Pods", "preempted", PreemptAsync);
        yield return new("Pods", "ra-job", JobAsync) { Note = "its two Pods, made from the Job's template by the test: there is no Job controller" };
    }

    private static void ShortBackOff(EmbeddedClusterOptions options) =>
        options.Kubelet.CrashLoopBackOff = TimeSpan.FromSeconds(10 * Manifests.Pace);

    // Long enough after the volume is full for the shell to have set its trap, also on a busy machine.
    private static void QuickEviction(EmbeddedClusterOptions options) => options.Kubelet.EvictionInterval = TimeSpan.FromSeconds(4);

    private static Scenario Pod(
        string name, Func<Stage, JsonObject, Task<IReadOnlyList<string>>>? act = null,
        Action<EmbeddedClusterOptions>? options = null, Action<Stage>? before = null, double pace = Manifests.Pace) =>
        new("Pods", name, async _ =>
        {
            await using var stage = await Stage.StartAsync(options);
            before?.Invoke(stage);
            await stage.WatchAsync(Pods);
            var manifest = Manifests.Load(name, pace);
            await stage.CreateAsync(manifest);
            IReadOnlyList<string> differences = act is null ? [] : await act(stage, manifest);
            return [.. differences, .. await CompareAsync(stage, Recording.Pod(name), name)];
        });

    /// <summary>Waits until the Pod is where the recording ends, and compares the way there.</summary>
    public static async Task<IReadOnlyList<string>> CompareAsync(Stage stage, IReadOnlyList<TimedState> recorded, string name)
    {
        var last = recorded[^1].State;
        await stage.UntilAsync((type, pod) => pod.Name() == name && PodStates.Describe(type, pod) == last, TimeSpan.FromSeconds(45));
        var ours = stage.States(name, PodStates.Describe).ToList();

        // Where the real Pod lived on after its recording, so may ours.
        var end = ours.LastIndexOf(last);
        if (end >= 0)
        {
            ours.RemoveRange(end + 1, ours.Count - end - 1);
        }

        return SequenceComparer.Compare(recorded, ours);
    }

    private static Task<bool> RunningAsync(Stage stage, string name) => stage.UntilAsync((_, pod) =>
        pod.Name() == name && (pod.At("status").Items("conditions") ?? []).OfType<JsonObject>().Any(c => c.Text("type") == "Ready" && c.Text("status") == "True"));

    /// <summary>Waits until the Pod is Ready and its shells have set their traps, which is when they run what comes after.</summary>
    public static async Task SettledAsync(Stage stage, JsonObject pod)
    {
        Assert.True(await RunningAsync(stage, pod.Name()), "The Pod did not become Ready.");
        foreach (var container in Manifests.Trapping(pod))
        {
            await Stage.PollAsync(() => stage.Cluster.FindProcesses(pod.Name(), container).Count >= 2);
        }
    }

    private static Func<Stage, JsonObject, Task<IReadOnlyList<string>>> Kill(bool outOfMemory = false) => async (stage, pod) =>
    {
        await SettledAsync(stage, pod);
        await stage.Cluster.KillContainerAsync(pod.Name(), "main", outOfMemory: outOfMemory);
        return [];
    };

    private static Func<Stage, JsonObject, Task<IReadOnlyList<string>>> AtRestart(Func<Stage, JsonObject, Task<IReadOnlyList<string>>> act) => async (stage, pod) =>
    {
        Assert.True(await stage.UntilAsync((_, p) => (p.At("status").Items("conditions") ?? []).OfType<JsonObject>()
            .Any(c => c.Text("type") == "AllContainersRestarting" && c.Text("status") == "True")), "No restart of all containers was seen.");
        return await act(stage, pod);
    };

    private static async Task<IReadOnlyList<string>> SendRecordedAsync(Stage stage, string recording)
    {
        var exchange = Recording.Lines("Http", recording)[0];
        if (!recording.StartsWith("ra-", StringComparison.Ordinal))
        {
            var name = exchange.At("request").Text("path")!.Split('/')[6].Split('?')[0];
            await SettledAsync(stage, Manifests.Load(name));
        }

        return await new HttpExchanges(stage).PlayAsync(exchange);
    }

    private static async Task<IReadOnlyList<string>> RestartKubeletAsync(Stage stage, JsonObject pod)
    {
        await stage.Node.StopKubeletAsync();
        await Task.Delay(500);
        await stage.Node.StartKubeletAsync();
        return [];
    }

    private static async Task<IReadOnlyList<string>> GateOffAsync(Stage stage, JsonObject pod)
    {
        // Main sleeps before it sets its trap: it is killed when its grace is over, as it was when this was recorded.
        await SettledAsync(stage, pod);
        await stage.Node.StopKubeletAsync();
        await stage.Node.StartKubeletAsync(declareRestartAllContainers: false);
        return [];
    }

    private static async Task<IReadOnlyList<string>> PreemptAsync(CancellationToken ct)
    {
        await using var stage = await Stage.StartAsync(o =>
        {
            o.NodeNames.Clear();
            o.NodeCount = 0;
        });
        await stage.Cluster.AddNodeAsync("node-1", new() { Cpu = "2" }, ct);
        foreach (var (name, value) in ((string, int)[])[("lo", 1), ("hi", 1000)])
        {
            stage.Cluster.Store.Create(ResourceType.PriorityClasses, new() { ["metadata"] = new JsonObject { ["name"] = name }, ["value"] = value });
        }

        await stage.WatchAsync(Pods);
        var pod = Manifests.Load("preempted");
        await stage.CreateAsync(pod);
        await SettledAsync(stage, pod);
        await stage.CreateAsync(Manifests.Load("preemptor"));
        var differences = await CompareAsync(stage, Recording.Pod("preempted"), "preempted");
        return await RunningAsync(stage, "preemptor") ? differences : [.. differences, "The preemptor did not get the place."];
    }

    private static async Task<IReadOnlyList<string>> JobAsync(CancellationToken ct)
    {
        await using var stage = await Stage.StartAsync();
        await stage.WatchAsync(Pods);
        var names = Recording.Lines("Pods", "ra-job").Select(l => l.At("object")!.Name()).Distinct().ToArray();
        foreach (var name in names)
        {
            var template = Manifests.Load("ra-job").At("spec").At("template")!;
            await stage.CreateAsync(new()
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Pod",
                ["metadata"] = new JsonObject { ["name"] = name },
                ["spec"] = template["spec"]!.DeepClone(),
            });
        }

        var differences = new List<string>();
        foreach (var name in names)
        {
            differences.AddRange(await CompareAsync(stage, Recording.Pod("ra-job", name), name));
        }

        return differences;
    }
}
