using k8s;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

/// <summary>The whole watch of a gang, as the room gives it to the machine.</summary>
public sealed class GangWatchTests
{
    private static PodRequest Request(int index) =>
        new() { Name = $"llm-trainer-{index}-1", Role = "trainer", Worker = new WorkerId("trainer", index), Incarnation = 1 };

    private static async Task<Ports.IGangCluster> WatchingAsync(Fixture fixture, string? token = null)
    {
        var cluster = fixture.Factory(token).Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
        fixture.Watch(cluster);
        return cluster;
    }

    [Fact]
    public async Task Watch_PodOnANode_ItsLeaseAndTheViewAreTold()
    {
        await using var fixture = await Fixture.StartAsync(o => (o.NodeCount, o.NodeLeaseDuration, o.Kubelet.SimulateContainers) = (2, TimeSpan.FromSeconds(2), true));
        var cluster = await WatchingAsync(fixture);
        await fixture.ExpectAsync<CacheSynced>();
        Assert.Contains(fixture.Seen, i => i is LeaseViewSeen);
        Assert.All(fixture.Seen.OfType<NodeSeen>(), n => Assert.Null(n.Node.LeaseSeen));
        await cluster.CreatePodAsync(Fixture.Spec, Request(0), default);
        var node = (await fixture.ExpectAsync<PodSeen>(p => p.Pod.Node is not null)).Pod.Node!;
        Assert.Contains(fixture.Seen.OfType<NodeSeen>(), n => n.Node.Name == node && n.Node.LeaseSeen is not null);

        var first = await fixture.ExpectAsync<NodeSeen>(n => n.Node.LeaseSeen is not null);
        Assert.Equal((node, TimeSpan.FromSeconds(2)), (first.Node.Name, first.Node.LeaseDuration));
        var later = await fixture.ExpectAsync<NodeSeen>(n => n.Node.LeaseSeen > first.Node.LeaseSeen);
        Assert.Equal(node, later.Node.Name);
        Assert.True((await fixture.ExpectAsync<LeaseViewSeen>()).FreshUntil >= later.Node.LeaseSeen);
    }

    [Fact]
    public async Task Watch_ServerAway_TheViewOfLeasesStandsStillAndComesBack()
    {
        await using var fixture = await Fixture.StartAsync(o => (o.NodeCount, o.NodeLeaseDuration) = (1, TimeSpan.FromSeconds(2)));
        await WatchingAsync(fixture);
        await fixture.ExpectAsync<CacheSynced>();
        // What the server sent before its end is still read after it: the view may go on until the watch has met nobody.
        var away = fixture.LoggedAsync("The watch of node leases was interrupted: Connection refused");
        await fixture.Cluster.Api.StopServerAsync();
        await away.WaitAsync(TimeSpan.FromSeconds(40));
        var stopped = DateTimeOffset.UtcNow;
        while (await fixture.TryExpectAsync<LeaseViewSeen>(TimeSpan.FromSeconds(2.5)) is { } view)
        {
            Assert.True(view.FreshUntil <= stopped, $"{view.FreshUntil:O} is after {stopped:O}");
        }

        var started = DateTimeOffset.UtcNow;
        await fixture.Cluster.Api.StartServerAsync();
        await fixture.ExpectAsync<LeaseViewSeen>(v => v.FreshUntil >= started);
    }

    [Fact]
    public async Task Watch_PodOfAnOlderGang_IsNotTold()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeNames.Clear());
        using var client = fixture.Cluster.CreateClient();
        await client.CoreV1.CreateNamespacedPodAsync(Leftovers.Pod("llm-trainer-9-1"), "default");
        var cluster = await WatchingAsync(fixture);
        await fixture.ExpectAsync<CacheSynced>();
        await cluster.CreatePodAsync(Fixture.Spec, Request(0), default);
        await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "llm-trainer-0-1");

        Assert.DoesNotContain(fixture.Seen, i => i is PodSeen { Pod.Name: "llm-trainer-9-1" });
    }

    [Fact]
    public async Task Watch_MayNotWatchPods_EndsWithTheRoleThatWouldAllowIt()
    {
        await using var fixture = await Fixture.StartAsync();
        var token = fixture.Cluster.CreateToken("launcher",
            new AccessRule(["get", "create", "update", "delete", "list"], ["*"]), new AccessRule(["watch"], ["nodes", "leases"]));
        await WatchingAsync(fixture, token);
        var e = await Assert.ThrowsAnyAsync<SupervisorException>(() => fixture.Watching.WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.Contains("""resources: ["pods"], verbs: ["watch"]""", e.Message, StringComparison.Ordinal);
    }
}
