using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Capabilities;

/// <summary>Each kind of cluster that cannot restart in place: what is chosen, what the Pod is then, and what the log says.</summary>
public sealed class CapabilityTests
{
    private static readonly PodRequest Request = new() { Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Incarnation = 1 };

    [Fact]
    public async Task GateOffAtTheServer_PodsGoWithoutTheRule()
    {
        await using var fixture = await StartAsync(o => o.RestartAllContainers = false);
        Assert.False(await HasRuleAsync(fixture, inPlace: false));
        Assert.Contains("does not accept RestartAllContainers", Line(fixture), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OlderServerThatDropsTheField_PodsGoWithoutTheRule()
    {
        await using var fixture = await StartAsync(o => o.ContainerRestartRules = false);
        Assert.False(await HasRuleAsync(fixture, inPlace: false));
        Assert.Contains("drops container restart rules", Line(fixture), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AllNodesDeclareIt_PodsHaveTheRuleAndNothingIsSaid()
    {
        await using var fixture = await StartAsync(o => o.NodeCount = 2);
        Assert.True(await HasRuleAsync(fixture, inPlace: true));
        Assert.DoesNotContain(fixture.Logged, l => l.Contains("in place", StringComparison.Ordinal));
    }

    [Fact]
    public async Task NoNodeDeclaresIt_PodsGoWithoutTheRule()
    {
        await using var fixture = await StartAsync(o => o.NodeCount = 2);
        await fixture.Cluster.Nodes["node-1"].RemoveFeature();
        await fixture.Cluster.Nodes["node-2"].RemoveFeature();
        Assert.False(await HasRuleAsync(fixture, inPlace: true));
        Assert.Contains("none of the 2 nodes", Line(fixture), StringComparison.Ordinal);
        Assert.All(fixture.Seen.OfType<NodeSeen>(), n => Assert.False(n.Node.RestartsInPlace));
    }

    [Fact]
    public async Task TooFewNodesDeclareIt_PodsGoWithoutTheRuleAndUseEveryNode()
    {
        await using var fixture = await StartAsync(o => o.NodeCount = 3);
        await fixture.Cluster.Nodes["node-1"].RemoveFeature();
        await fixture.Cluster.Nodes["node-2"].RemoveFeature();
        Assert.False(await HasRuleAsync(fixture, inPlace: true));
        Assert.Contains("only 1 of 3 nodes", Line(fixture), StringComparison.Ordinal);
    }

    [Fact]
    public async Task EnoughNodesDeclareIt_PodsHaveTheRuleAndLandThere()
    {
        await using var fixture = await StartAsync(o => o.NodeCount = 3);
        await fixture.Cluster.Nodes["node-1"].RemoveFeature();
        Assert.True(await HasRuleAsync(fixture, inPlace: true));
        Assert.Contains("2 of 3 nodes", Line(fixture), StringComparison.Ordinal);
        var placed = await fixture.ExpectAsync<PodSeen>(p => p.Pod.Node is not null);
        Assert.NotEqual("node-1", placed.Pod.Node);
    }

    [Fact]
    public async Task OnlyNodesWithoutItFit_TheNextPodGoesWithoutTheRule()
    {
        // The gang's node pool lacks the feature, and that only the scheduler knows.
        await using var fixture = await StartAsync(o => o.NodeNames.Clear());
        await fixture.Cluster.AddNodeAsync("pool", new NodeOptions { DeclareRestartAllContainers = false, Labels = { ["pool"] = "train" } });
        await fixture.Cluster.AddNodeAsync("other-1");
        await fixture.Cluster.AddNodeAsync("other-2");
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithAgentFromImageVolume("agent:1")
            .ConfigurePod(p => p.Spec.NodeSelector = new Dictionary<string, string> { ["pool"] = "train" })).Build();
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(spec, "https://a:1", default);
        fixture.Watch(cluster, spec);
        await fixture.ExpectAsync<CacheSynced>();
        await cluster.CreatePodAsync(spec, Request, default);
        var waits = await fixture.ExpectAsync<PodSeen>(p => p.Pod.UnschedulableMessage is not null);
        Assert.True(waits.Pod.RestartsInPlace);

        await cluster.CreatePodAsync(spec, Request with { Name = "llm-trainer-0-2", Incarnation = 2 }, default);
        var placed = await fixture.ExpectAsync<PodSeen>(p => p.Pod is { Name: "llm-trainer-0-2", Node: not null });
        Assert.Equal(("pool", false), (placed.Pod.Node, placed.Pod.RestartsInPlace));
        Assert.Contains(fixture.Logged, l => l.Contains("found no node", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Bind_NewGangWhosePodsAreInvalid_SaysWhyBeforeAnythingIsCreated()
    {
        await using var fixture = await StartAsync();
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(1).WithImage("i").WithCommand("c").WithAgentFromImageVolume("agent:1")
            .ConfigurePod(p => p.Spec.Containers.Add(new V1Container { Name = "Not A Name", Image = "x" }))).Build();
        await using var cluster = fixture.Factory().Create();
        var e = await Assert.ThrowsAsync<RejectedException>(() => cluster.BindAsync(spec, "https://a:1", default));
        Assert.Contains("Not A Name", e.Message, StringComparison.Ordinal);

        // But a gang that runs is led on, whatever is thought of new Pods by now.
        await using var first = fixture.Factory().Create();
        await first.BindAsync(Fixture.Spec, "https://a:1", default);
        await first.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 1, Phase = GangPhase.Running }, default);
        Assert.True((await cluster.BindAsync(spec, "https://a:1", default)).RestartsInPlace);
    }

    [Fact]
    public async Task Bind_SomebodysPodHasTheProbesName_DoesNotMatter()
    {
        await using var fixture = await StartAsync();
        using var client = fixture.Cluster.CreateClient();
        await client.CoreV1.CreateNamespacedPodAsync(Leftovers.Pod("llm-probe"), "default");
        await using var cluster = fixture.Factory().Create();
        Assert.True((await cluster.BindAsync(Fixture.Spec, "https://a:1", default)).RestartsInPlace);
    }

    private static Task<Fixture> StartAsync(Action<EmbeddedClusterOptions>? configure = null) => Fixture.StartAsync(o =>
    {
        o.Kubelet.SimulateContainers = true;
        configure?.Invoke(o);
    });

    /// <summary>Binds, watches and creates a Pod, and says whether that has the rule; what the watch says of it must be the same.</summary>
    private static async Task<bool> HasRuleAsync(Fixture fixture, bool inPlace)
    {
        var cluster = fixture.Factory().Create();
        Assert.Equal(inPlace, (await cluster.BindAsync(Fixture.Spec, "https://a:1", default)).RestartsInPlace);
        fixture.Watch(cluster);
        await fixture.ExpectAsync<CacheSynced>();
        await cluster.CreatePodAsync(Fixture.Spec, Request, default);
        await cluster.CreatePodAsync(Fixture.Spec, Request with { Name = "llm-trainer-1-1", Worker = new WorkerId("trainer", 1) }, default);
        using var client = fixture.Cluster.CreateClient();
        var rules = (await client.CoreV1.ReadNamespacedPodAsync(Request.Name, "default")).Spec.Containers[0].RestartPolicyRules;
        var seen = await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == Request.Name);
        Assert.Equal(rules is { Count: > 0 }, seen.Pod.RestartsInPlace);
        return seen.Pod.RestartsInPlace;
    }

    /// <summary>One line, however many Pods were created.</summary>
    private static string Line(Fixture fixture) => Assert.Single(fixture.Logged, l => l.Contains("in place", StringComparison.Ordinal));
}
