using TrainingSupervisor.Engine;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests;

public sealed class WatchTests
{
    private static PodRequest Request(int index) =>
        new() { Name = $"llm-trainer-{index}-1", Role = "trainer", Worker = new WorkerId("trainer", index), Incarnation = 1 };

    private static async Task<(Fixture Fixture, Ports.IGangCluster Cluster)> WatchingAsync(Action<KubernetesOptions>? configure = null)
    {
        var fixture = await Fixture.StartAsync();
        var cluster = fixture.Factory(configure: configure).Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
        fixture.Watch(cluster);
        await fixture.ExpectAsync<CacheSynced>();
        return (fixture, cluster);
    }

    [Theory]
    [InlineData("dropped")]
    [InlineData("aborted")]
    [InlineData("server restarted")]
    [InlineData("history compacted")]
    public async Task Watch_Interrupted_SeesWhatComesAfterAndWhatWentMeanwhile(string how)
    {
        var (fixture, cluster) = await WatchingAsync();
        await using var _ = fixture;
        await cluster.CreatePodAsync(Fixture.Spec, Request(0), default);
        var seen = await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "llm-trainer-0-1");
        Assert.Equal(new WorkerId("trainer", 0), seen.Pod.Worker);

        switch (how)
        {
            case "dropped": fixture.Cluster.Api.DropWatches(); break;
            case "aborted": fixture.Cluster.Api.AbortWatches(); break;
            case "server restarted": await fixture.Cluster.Api.RestartServerAsync(); break;
            default:
                // The Pod goes while nobody watches, and what happened is forgotten: only a relist can tell.
                var fault = fixture.Cluster.Api.FailRequests(500, where: r => r.Verb is "watch" or "list");
                fixture.Cluster.Api.DropWatches();
                await cluster.DeletePodAsync(Fixture.Spec, seen.Pod.Name, seen.Pod.Uid, force: true, default);
                fixture.Cluster.Api.CompactHistory();
                fault.Dispose();
                await fixture.ExpectAsync<PodGone>(p => p.Uid == seen.Pod.Uid);
                break;
        }

        await cluster.CreatePodAsync(Fixture.Spec, Request(1), default);
        await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "llm-trainer-1-1");
    }

    [Fact]
    public async Task Watch_HalfOpenSilence_ConnectsAnew()
    {
        var (fixture, cluster) = await WatchingAsync(o => o.WatchIdleTimeout = TimeSpan.FromMilliseconds(600));
        await using var _ = fixture;
        using (fixture.Cluster.Api.FreezeWatches())
        {
            await cluster.CreatePodAsync(Fixture.Spec, Request(0), default);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                using var shortly = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                await fixture.ExpectAsync<PodSeen>().WaitAsync(shortly.Token);
            });
        }
    }
}
