using System.Net;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A node that nobody hears of, and on which the worker lives: never two workers of one rank, whenever the node is back.</summary>
[Collection(nameof(OneAtATime))]
public sealed class PartitionTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("gang-e2e-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [EmbeddedFact("the network is cut")]
    public async Task Recovery_NodeCutOff_ReplacedOnlyAfterItsWorkerIsFenced()
    {
        await using var lab = await StartAsync();
        var gang = await lab.LaunchAsync(Gang(lab, spares: 1));
        await lab.RunningAsync(gang, 1);
        await lab.ExpectAsync<WorkerChanged>(gang, w => w.Worker.Worker is null && w.Worker.State == "Waiting");
        await CutOffUntilReplacedAsync(lab, gang);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Contains(plan.Cause!.Kind, new[] { FailureKind.NodeLost, FailureKind.AgentLost });
        Assert.Equal(RecoveryStep.ReplaceWithSpare, plan.Steps[1].Step);
        NeverTwo(gang);
    }

    [EmbeddedFact("the network is cut")]
    public async Task Recovery_NodeOfAnAdoptedPodCutOff_ItsControllersNextRunsOnlyAfterItsWorkerIsFenced()
    {
        await using var lab = await StartAsync(adopt: JobLikeController.Selector);
        await using var job = new JobLikeController(lab.CreateClient(), lab.Cluster.Namespace, Gang(lab, spares: 0).Build().ToPodTemplate("w"), 3);
        var gang = await lab.LaunchAsync(Gang(lab, spares: 0));
        await lab.RunningAsync(gang, 1);
        var victim = gang.Status.Workers[1].Pod;
        await CutOffUntilReplacedAsync(lab, gang);

        Assert.NotEqual(victim, gang.Status.Workers[1].Pod);
        NeverTwo(gang);
    }

    [EmbeddedFact("the network is cut")]
    public async Task Running_NodeCutOffForLessThanTheFence_TrainsOn()
    {
        await using var lab = await StartAsync();
        var gang = await lab.LaunchAsync(Gang(lab, spares: 0));
        await lab.RunningAsync(gang, 1);
        var victim = gang.Status.Workers[1];
        // Silence is noticed after three heartbeats, 1.5 s; the node's Lease is late after 5 s, the fence passes after 5.
        var node = lab.Embedded.Nodes[victim.Node!];
        await node.PartitionAsync();
        await lab.ExpectAsync<WorkerChanged>(gang, w => w.Worker is { Rank: 1, State: "Silent" });
        await node.HealAsync();
        await lab.UntilAsync(() => gang.Status.Workers[1].State == "Running");

        Assert.Equal((GangPhase.Running, 1), (gang.Status.Phase, gang.Status.Attempt));
        Assert.Equal(["1 0", "1 1", "1 2"], Starts());
    }

    /// <summary>Cuts off the node of worker 1 until the gang runs without it; returns when its old worker has ended and all the new ones have said that they run.</summary>
    private async Task CutOffUntilReplacedAsync(Lab lab, GangHandle gang)
    {
        var victim = gang.Status.Workers[1];
        var node = lab.Embedded.Nodes[victim.Node!];
        var old = lab.Embedded.FindProcesses(victim.Pod, "worker");
        Assert.NotEmpty(old);
        await node.PartitionAsync();
        await lab.RunningAsync(gang, 2);
        await node.HealAsync();
        await lab.UntilAsync(() => !old.Any(id => Directory.Exists($"/proc/{id}")));
        // A worker that runs has not yet written its line.
        await lab.UntilAsync(() => Starts().Count >= 6);
    }

    private void NeverTwo(GangHandle gang)
    {
        Assert.Equal((GangPhase.Running, 2), (gang.Status.Phase, gang.Status.Attempt));
        Assert.False(File.Exists(Path.Combine(_directory, "twice")), "two workers of one rank at once");
        Assert.Equal(["1 0", "1 1", "1 2", "2 0", "2 1", "2 2"], Starts());
    }

    private List<string> Starts() => [.. File.ReadAllLines(Path.Combine(_directory, "starts")).Order(StringComparer.Ordinal)];

    private static async Task<Lab> StartAsync(string? adopt = null)
    {
        // A long Lease, so that the short partition is over well before it is late; a short one would be a lost node, rightly.
        var cluster = await EmbeddedTestCluster.StartAsync(5, o => o.NodeLeaseDuration = TimeSpan.FromSeconds(8));
        var embedded = cluster.Embedded;
        var port = FreePort.Next();
        var supervisor = embedded.CreateRelay(new IPEndPoint(IPAddress.Loopback, port));
        var api = embedded.CreateRelay(new IPEndPoint(IPAddress.Loopback, embedded.Address.Port));
        return await Lab.StartAsync(cluster, r => r with
        {
            Port = port,
            AdoptSelector = adopt,
            AdvertisedAddress = supervisor.EndPoint.ToString(),
            LivenessUrl = $"https://{api.EndPoint}/livez",
        });
    }

    private GangBuilder Gang(Lab lab, int spares) => lab.Describe(3, spares, "sh", "-c", RankLock.Script(_directory, "sleep 3600"));
}
