namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>What a recovery asks of the API server, counted there: design section 8, at most 2f+4 writes and no list, however large the gang.</summary>
[Collection(nameof(OneAtATime))]
public sealed class CostTests
{
    [EmbeddedTheory("requests are counted at the API server")]
    [InlineData(8)]
    [InlineData(64)]
    public async Task Recovery_ProcessKilled_CostsTwoWritesAndNoList(int workers)
    {
        await using var lab = await Lab.StartAsync(workers, RealLeases);
        var gang = await lab.LaunchAsync(Calm(lab, workers, 0));
        await lab.RunningAsync(gang, 1);
        await lab.RecordedAsync(gang, 1);
        lab.Embedded.Requests.Reset();
        await lab.Cluster.KillWorkerAsync(gang.Status.Workers[2].Pod);
        await lab.RunningAsync(gang, 2);
        await lab.RecordedAsync(gang, 2);

        Assert.Equal(["update configmaps", "update configmaps"], Writes(lab));
        Assert.Equal(0, lab.Embedded.Requests.Count(r => r.Verb == "list"));
    }

    [EmbeddedTheory("requests are counted at the API server")]
    [InlineData(8, 1, 0)]
    [InlineData(8, 3, 1)]
    [InlineData(64, 1, 1)]
    [InlineData(64, 3, 0)]
    public async Task Recovery_PodsDeleted_CostsAtMostTwoWritesEachAndFour(int workers, int failed, int spares)
    {
        await using var lab = await Lab.StartAsync(workers + spares, RealLeases);
        var gang = await lab.LaunchAsync(Calm(lab, workers, spares));
        await lab.RunningAsync(gang, 1);
        await lab.RecordedAsync(gang, 1);
        lab.Embedded.Requests.Reset();
        // The containers end by a signal that no rule covers: their Pods fail.
        await Task.WhenAll(gang.Status.Workers.Take(failed).Select(w => lab.Embedded.KillContainerAsync(w.Pod, "worker")));
        await lab.RunningAsync(gang, 2);
        await lab.RecordedAsync(gang, 2);

        var writes = Writes(lab);
        Assert.True(writes.Count <= (2 * failed) + 4, string.Join('\n', writes));
        Assert.Equal(failed, writes.Count(w => w == "create pods"));
        Assert.Equal(0, lab.Embedded.Requests.Count(r => r.Verb == "list"));
    }

    private static void RealLeases(Testing.EmbeddedClusterOptions options) => options.NodeLeaseDuration = TimeSpan.FromSeconds(40);

    /// <summary>So many agents on two cores are late at times: that must not be taken for a failure here.</summary>
    private static GangBuilder Calm(Lab lab, int workers, int spares) =>
        lab.Idle(workers, spares).WithHeartbeat(TimeSpan.FromSeconds(3)).WithFence(TimeSpan.FromSeconds(60));

    /// <summary>Without the renewals of Leases, ours and the kubelets', which come with time and not with a recovery, and what kubelets say of their Pods.</summary>
    private static List<string> Writes(Lab lab) => [.. lab.Embedded.Requests.Snapshot()
        .Where(r => r.IsWrite && r.Resource != "leases").Select(r => $"{r.Verb} {r.Resource}")];
}
