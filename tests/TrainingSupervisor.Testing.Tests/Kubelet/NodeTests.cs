using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class NodeTests
{
    private static readonly KubeletOptions s_simulated = new() { SimulateContainers = true };

    [Fact]
    public async Task Schedule_AntiAffinity_SpreadsAndThenWaits()
    {
        await using var cluster = new KubeletFixture(s_simulated, null, ("a", null), ("b", null));
        const string Apart = """
            "affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"x"}}}]}}
            """;
        var nodes = new HashSet<string?>();
        foreach (var name in (string[])["p1", "p2"])
        {
            cluster.Create(name, [Shell("main", "")], spec: Apart, labels: "\"app\":\"x\"");
            nodes.Add((await cluster.WaitForReadyAsync(name)).At("spec").Text("nodeName"));
        }

        Assert.Equal(["a", "b"], nodes.Order());
        cluster.Create("p3", [Shell("main", "")], spec: Apart, labels: "\"app\":\"x\"");
        var waiting = await cluster.WaitAsync("p3", p => Condition(p, "PodScheduled") == "False");
        Assert.StartsWith("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", Conditions(waiting, "PodScheduled").Text("message"), StringComparison.Ordinal);

        cluster.Store.Delete(ResourceType.Pods, "default", "p1");
        await cluster.WaitForReadyAsync("p3");
    }

    [Fact]
    public async Task Schedule_TaintAndGpu_AreRespected()
    {
        await using var cluster = new KubeletFixture(s_simulated, null,
            ("gpu", new() { Resources = { ["nvidia.com/gpu"] = "1" }, Taints = { new("gpu", "yes", "NoSchedule") } }));
        const string Gpu = "\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"1\"}}";
        const string Tolerates = "\"tolerations\":[{\"key\":\"gpu\",\"operator\":\"Exists\"}]";
        cluster.Create("plain", [Shell("main", "")]);
        await cluster.WaitAsync("plain", p => Conditions(p, "PodScheduled").Text("message")?.Contains("untolerated taint(s) {gpu: yes}", StringComparison.Ordinal) ?? false);
        cluster.Create("first", [Shell("main", "", Gpu)], spec: Tolerates);
        await cluster.WaitForReadyAsync("first");
        cluster.Create("second", [Shell("main", "", Gpu)], spec: Tolerates);
        await cluster.WaitAsync("second", p => Conditions(p, "PodScheduled").Text("message")?.Contains("1 Insufficient nvidia.com/gpu", StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public async Task Taint_NoExecute_DeletesPods()
    {
        await using var cluster = new KubeletFixture(s_simulated);
        cluster.Create("p", [Shell("main", "")]);
        await cluster.WaitForReadyAsync("p");
        await new EmbeddedNodes(cluster.Plane)["node-1"].AddTaintAsync(new("broken", "", "NoExecute"));
        var pod = await cluster.WaitAsync("p", p => p.At("metadata").Text("deletionTimestamp") is not null);
        Assert.Equal("DeletionByTaintManager", Conditions(pod, "DisruptionTarget").Text("reason"));
    }

    [Fact]
    public async Task Fail_Node_TurnsUnknownAndItsPodsAreDeleted()
    {
        await using var cluster = new KubeletFixture(null, TimeSpan.FromSeconds(0.8), ("a", null), ("b", null));
        cluster.Create("p", [Shell("main", "exec sleep 100")],
            spec: "\"nodeSelector\":{\"kubernetes.io/hostname\":\"a\"},\"tolerations\":[{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":0}]");
        await cluster.WaitForReadyAsync("p");
        var container = cluster.Plane.Container("default", "p", "main").Current!;
        var failed = cluster.Store.ResourceVersion;
        var node = new EmbeddedNodes(cluster.Plane)["a"];
        await node.FailAsync();

        Assert.True(container.Exited.IsCompleted);
        var pod = await cluster.WaitAsync("p", p => p.At("metadata").Text("deletionTimestamp") is not null, failed);
        Assert.Equal("False", Condition(pod, "Ready"));
        Assert.NotNull(Status(pod, "main").At("state").At("running"));
        var ready = cluster.Store.Get(ResourceType.Nodes, null, "a").At("status").Items("conditions")!.OfType<JsonObject>().Single(c => c.Text("type") == "Ready");
        Assert.Equal(("Unknown", "NodeStatusUnknown"), (ready.Text("status"), ready.Text("reason")));

        await node.RecoverAsync();
        await UntilAsync(() => cluster.Store.Get(ResourceType.Pods, "default", "p") is null);
    }

    [Fact]
    public async Task Partition_ContainerRestartsUnseen_IsReportedAfterwards()
    {
        await using var cluster = new KubeletFixture(s_simulated);
        cluster.Create("p", [Shell("main", "")], "Always");
        await cluster.WaitForReadyAsync("p");
        var node = new EmbeddedNodes(cluster.Plane)["node-1"];
        await node.PartitionAsync();
        var slot = cluster.Plane.Container("default", "p", "main");
        var first = slot.Current;
        ((Runtime.SimulatedContainer)first!).Exit(1);
        await UntilAsync(() => slot.Current is not null && slot.Current != first);
        Assert.Equal(0, Status(cluster.Store.Get(ResourceType.Pods, "default", "p")!, "main").Number("restartCount"));

        await node.HealAsync();
        await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 1);
    }

    [Fact]
    public async Task Simulated_ManyPods_AllRun()
    {
        await using var cluster = new KubeletFixture(s_simulated, null, [.. Enumerable.Range(0, 5).Select(i => ($"n{i}", (NodeOptions?)null))]);
        for (var i = 0; i < 300; i++)
        {
            cluster.Create($"p{i}", [Shell("main", "")]);
        }

        for (var i = 0; i < 300; i++)
        {
            await cluster.WaitForReadyAsync($"p{i}");
        }

        Assert.Equal(300, cluster.Store.List(ResourceType.Pods).Items.Count(p => Condition(p, "Ready") == "True"));
    }
}
