using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>Clusters that cannot restart in place, wholly or in part: the gang recovers by the next best step (design section 7).</summary>
[Collection(nameof(OneAtATime))]
public sealed class CapabilityTests
{
    [EmbeddedFact("feature gates are off")]
    public Task Recovery_GateOffAtTheApiServer_RestartsProcesses() =>
        RecoverAsync(o => o.RestartAllContainers = false, offAt: 0);

    [EmbeddedFact("feature gates are off")]
    public Task Recovery_ApiServerOf134_RestartsProcesses() => RecoverAsync(
        o =>
        {
            o.KubernetesVersion = "v1.34.3";
            o.RestartAllContainers = false;
            o.ContainerRestartRules = false;
        },
        offAt: 0);

    [EmbeddedFact("feature gates are off")]
    public Task Recovery_GateOffAtOneOfTheNodesThatAreNeeded_RestartsProcesses() => RecoverAsync(null, offAt: 1);

    [EmbeddedFact("feature gates are off")]
    public async Task Recovery_GateOffAtANodeThatIsNotNeeded_KeepsToTheOthersInPlace()
    {
        await using var lab = await Lab.StartAsync(3);
        await lab.Embedded.Nodes["node-2"].RemoveFeature();
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        Assert.DoesNotContain("node-2", gang.Status.Workers.Select(w => w.Node));
        await lab.Cluster.KillWorkerAsync(gang.Status.Workers[0].Pod);
        await lab.RunningAsync(gang, 2);

        Assert.All(await StepsAsync(lab, gang), s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
    }

    private static async Task RecoverAsync(Action<EmbeddedClusterOptions>? configure, int offAt)
    {
        await using var lab = await Lab.StartAsync(2, configure);
        for (var node = 1; node <= offAt; node++) await lab.Embedded.Nodes[$"node-{node}"].RemoveFeature();
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        var pods = gang.Status.Workers.Select(w => w.Pod).ToList();
        await lab.Cluster.KillWorkerAsync(pods[0]);
        await lab.RunningAsync(gang, 2);
        var steps = await StepsAsync(lab, gang);

        Assert.All(steps, s => Assert.Equal(RecoveryStep.RestartProcess, s.Step));
        Assert.All(steps, s => Assert.Contains("RestartAllContainers", s.Reason, StringComparison.Ordinal));
        Assert.Equal(pods, gang.Status.Workers.Select(w => w.Pod));
    }

    private static async Task<IReadOnlyList<WorkerStep>> StepsAsync(Lab lab, GangHandle gang) =>
        (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan.Steps;
}
