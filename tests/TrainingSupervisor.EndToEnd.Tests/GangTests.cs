using k8s;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

public sealed class GangTests
{
    [Fact]
    public async Task Gang_WorkersEndWell_SucceedsWithRanksOfTheContract()
    {
        await using var lab = await Lab.StartAsync(3);
        var directory = Directory.CreateTempSubdirectory().FullName;
        var gang = await lab.LaunchAsync(Lab.Describe(3, 0, "sh", "-c", $"echo $RANK/$WORLD_SIZE/$GANG_WORKER/$GANG_ATTEMPT > {directory}/$RANK").Build());
        var result = await gang.WaitAsync().WaitAsync(Lab.Patience);

        Assert.True(result.Succeeded, result.Outcome);
        Assert.Equal(
            ["0/3/w-0/1", "1/3/w-1/1", "2/3/w-2/1"],
            Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal).Select(f => File.ReadAllText(f).Trim()));
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    public async Task Recovery_ProcessKilled_RestartsAllInPlaceWithFewWritesAndNoList(int workers)
    {
        await using var lab = await Lab.StartAsync(workers);
        var gang = await lab.LaunchAsync(Lab.Describe(workers, 0, "sleep", "600").Build());
        await Lab.RunningAsync(gang, 1);
        lab.Cluster.Requests.Reset();
        KillWorker(lab, gang.Status.Workers[2].Pod);
        await Lab.RunningAsync(gang, 2);
        var plan = (await Lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal((FailureKind.Killed, new WorkerId("w", 2)), (plan.Cause!.Kind, plan.Cause.Worker!.Value));
        Assert.All(plan.Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        Assert.InRange(lab.Cluster.Requests.Count(r => r.IsWrite && r.Resource != "leases"), 1, 6);
        Assert.Equal(0, lab.Cluster.Requests.Count(r => r.Verb == "list"));
        Assert.Equal(0, lab.Cluster.Requests.Count(r => r.Resource == "pods" && r.IsWrite));
    }

    [Fact]
    public async Task Recovery_NodeDies_SpareTakesOver()
    {
        await using var lab = await Lab.StartAsync(5);
        var gang = await lab.LaunchAsync(Lab.Describe(3, 1, "sleep", "600").Build());
        await Lab.RunningAsync(gang, 1);
        await Lab.ExpectAsync<WorkerChanged>(gang, w => w.Worker.Worker is null && w.Worker.State == "Waiting");
        await lab.Cluster.Nodes[gang.Status.Workers[1].Node!].FailAsync();
        await Lab.RunningAsync(gang, 2);
        var plan = (await Lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal(FailureKind.NodeLost, plan.Cause!.Kind);
        Assert.Equal(RecoveryStep.ReplaceWithSpare, plan.Steps[1].Step);
    }

    [Fact]
    public async Task Gang_CommandDoesNotExist_FailsWithOneClearMessage()
    {
        await using var lab = await Lab.StartAsync(1);
        var gang = await lab.LaunchAsync(Lab.Describe(1, 0, "no-such-program").Build());
        var result = await gang.WaitAsync().WaitAsync(Lab.Patience);

        Assert.Equal(GangPhase.Failed, result.Phase);
        Assert.Contains("no-such-program", result.Outcome, StringComparison.Ordinal);
        Assert.Contains(nameof(FailureKind.StartError), result.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gang_ImageCannotBeHad_FailsWithKubernetesMessage()
    {
        await using var lab = await Lab.StartAsync(1);
        var gang = await lab.LaunchAsync(Gang.Create("job")
            .AddRole("w", r => r.WithImage("registry.invalid/train:1").WithCommand("true").WithAgentFromImageVolume(Lab.AgentImage)).Build());
        var result = await gang.WaitAsync().WaitAsync(Lab.Patience);

        Assert.Equal(GangPhase.Failed, result.Phase);
        Assert.Contains(nameof(FailureKind.ImageUnavailable), result.Outcome, StringComparison.Ordinal);
        Assert.Contains("registry.invalid", result.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StopAsync_RunningGang_LeavesNoPodAndNoProcess()
    {
        await using var lab = await Lab.StartAsync(2);
        var gang = await lab.LaunchAsync(Lab.Describe(2, 0, "sleep", "601").Build());
        await Lab.RunningAsync(gang, 1);
        var processes = gang.Status.Workers.SelectMany(w => lab.Cluster.FindProcesses(w.Pod, "worker")).ToList();
        var result = await gang.StopAsync().WaitAsync(Lab.Patience);

        Assert.NotEmpty(processes);
        Assert.Equal(GangPhase.Stopped, result.Phase);
        using var client = lab.Cluster.CreateClient();
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedConfigMapAsync("default")).Items, c => c.Metadata.Name == "gang-job");
    }

    private static void KillWorker(Lab lab, string pod)
    {
        foreach (var id in lab.Cluster.FindProcesses(pod, "worker"))
        {
            using var process = System.Diagnostics.Process.GetProcessById(id);
            if (process.ProcessName == "sleep") process.Kill();
        }
    }
}
