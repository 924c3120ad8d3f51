using k8s;
using k8s.Models;

namespace TrainingSupervisor.EndToEnd.Tests;

[Collection(nameof(OneAtATime))]
public sealed class GangTests
{
    [Fact]
    public async Task Gang_WorkersEndWell_SucceedsWithRanksOfTheContract()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(lab.Describe(3, 0, "sh", "-c", "echo rank=$RANK/$WORLD_SIZE/$GANG_WORKER/$GANG_ATTEMPT; sleep 1"));
        var pods = gang.Status.Workers.Select(w => w.Pod).ToList();
        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);
        var said = new List<string>();
        using var client = lab.CreateClient();
        foreach (var pod in pods)
        {
            using var reader = new StreamReader(await client.CoreV1.ReadNamespacedPodLogAsync(pod, lab.Cluster.Namespace, container: "worker"));
            said.AddRange((await reader.ReadToEndAsync()).Split('\n').Where(l => l.StartsWith("rank=", StringComparison.Ordinal)));
        }

        Assert.True(result.Succeeded, result.Outcome);
        Assert.Equal(["rank=0/3/w-0/1", "rank=1/3/w-1/1", "rank=2/3/w-2/1"], said.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Recovery_ProcessKilled_RestartsAllInPlace()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(lab.Idle(3));
        await lab.RunningAsync(gang, 1);
        var before = await PodsAsync(lab);
        await lab.Cluster.KillWorkerAsync(gang.Status.Workers[2].Pod);
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal((FailureKind.Killed, new WorkerId("w", 2), 9), (plan.Cause!.Kind, plan.Cause.Worker!.Value, plan.Cause.Signal));
        Assert.All(plan.Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        Assert.Equal(before, await PodsAsync(lab));
    }

    [EmbeddedFact("the way in which the agent comes is chosen for the whole run elsewhere")]
    public async Task Recovery_AgentFromInitContainer_RestartsAllInPlace()
    {
        await using var lab = await Lab.StartAsync(2);
        var request = lab.Cluster.Request(2, 0, ["sh", "-c", "exec sleep 3600"]) with { Delivery = AgentDelivery.InitContainer };
        var gang = await lab.LaunchAsync(request.Describe());
        await lab.RunningAsync(gang, 1);
        await lab.Cluster.KillWorkerAsync(gang.Status.Workers[1].Pod);
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.All(plan.Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        using var client = lab.CreateClient();
        Assert.All((await client.CoreV1.ListNamespacedPodAsync(lab.Cluster.Namespace)).Items, p => Assert.Equal("gang-agent", p.Spec.InitContainers.Single().Name));
    }

    [Fact]
    public async Task Recovery_ApplicationError_NamesTheCodeAndTheLastWords()
    {
        await using var lab = await Lab.StartAsync(2);
        var script = "if [ $GANG_ATTEMPT = 1 ] && [ $RANK = 1 ]; then echo shard 7 is corrupt >&2; exit 3; fi; exec sleep 3600";
        var gang = await lab.LaunchAsync(lab.Describe(2, 0, "sh", "-c", script));
        await lab.RunningAsync(gang, 2);
        var cause = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan.Cause!;

        Assert.Equal((FailureKind.ApplicationError, 3, new WorkerId("w", 1)), (cause.Kind, cause.ExitCode, cause.Worker!.Value));
        Assert.Contains("shard 7 is corrupt", cause.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Recovery_PodDeletedByOthers_IsMadeAnewAndTheOthersRestartInPlace()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(lab.Idle(3));
        await lab.RunningAsync(gang, 1);
        using var client = lab.CreateClient();
        await client.CoreV1.DeleteNamespacedPodAsync(gang.Status.Workers[0].Pod, lab.Cluster.Namespace, new V1DeleteOptions { GracePeriodSeconds = 1 });
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal((FailureKind.PodDeleted, new WorkerId("w", 0)), (plan.Cause!.Kind, plan.Cause.Worker!.Value));
        Assert.Equal([RecoveryStep.Recreate, RecoveryStep.RestartInPlace, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
    }

    [Fact]
    public async Task Supervisor_Restarted_WorkersTrainOn()
    {
        await using var lab = await Lab.StartAsync(2);
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        var before = await PodsAsync(lab);
        await lab.RestartHostAsync();
        var again = await lab.LaunchAsync(lab.Idle(2));
        await lab.ExpectAsync<WorkerChanged>(again, w => w.Worker is { Rank: 0, State: "Running", Attempt: 1 });
        await lab.ExpectAsync<WorkerChanged>(again, w => w.Worker is { Rank: 1, State: "Running", Attempt: 1 });

        Assert.Equal(before, await PodsAsync(lab));
        Assert.Equal((GangPhase.Running, 1), (again.Status.Phase, again.Status.Attempt));
    }

    [EmbeddedFact("a node has to die")]
    public async Task Recovery_NodeDies_SpareTakesOver()
    {
        await using var lab = await Lab.StartAsync(5);
        var gang = await lab.LaunchAsync(lab.Idle(3, 1));
        await lab.RunningAsync(gang, 1);
        await lab.ExpectAsync<WorkerChanged>(gang, w => w.Worker.Worker is null && w.Worker.State == "Waiting");
        await lab.Embedded.Nodes[gang.Status.Workers[1].Node!].FailAsync();
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal(FailureKind.NodeLost, plan.Cause!.Kind);
        Assert.Equal(RecoveryStep.ReplaceWithSpare, plan.Steps[1].Step);
    }

    [Fact]
    public async Task Gang_CommandDoesNotExist_FailsWithOneClearMessage()
    {
        await using var lab = await Lab.StartAsync(1);
        var gang = await lab.LaunchAsync(lab.Describe(1, 0, "no-such-program"));
        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);

        Assert.Equal(GangPhase.Failed, result.Phase);
        Assert.Contains("no-such-program", result.Outcome, StringComparison.Ordinal);
        Assert.Contains(nameof(FailureKind.StartError), result.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gang_ImageCannotBeHad_FailsWithKubernetesMessage()
    {
        await using var lab = await Lab.StartAsync(1);
        var request = lab.Cluster.Request(1, 0, ["true"]) with { WorkerImage = "registry.invalid/train:1" };
        var gang = await lab.LaunchAsync(request.Describe());
        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);

        Assert.Equal(GangPhase.Failed, result.Phase);
        Assert.Contains(nameof(FailureKind.ImageUnavailable), result.Outcome, StringComparison.Ordinal);
        Assert.Contains("registry.invalid", result.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StopAsync_RunningGang_LeavesNothing()
    {
        await using var lab = await Lab.StartAsync(2);
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        var processes = gang.Status.Workers.SelectMany(w => lab.Cluster.Embedded?.FindProcesses(w.Pod, "worker") ?? []).ToList();
        var result = await gang.StopAsync().WaitAsync(lab.Cluster.Patience);
        await lab.PodsAsync(pods => pods.Count == 0);

        using var client = lab.CreateClient();
        Assert.Equal(GangPhase.Stopped, result.Phase);
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedConfigMapAsync(lab.Cluster.Namespace)).Items, c => c.Metadata.Name == "gang-job");
        Assert.Equal(lab.Cluster.Embedded is null, processes.Count == 0);
        Assert.All(processes, id => Assert.False(Directory.Exists($"/proc/{id}"), $"process {id} is left"));
    }

    [Fact]
    public async Task Gang_RecordDeletedByHand_IsStoppedAndDoesNotComeBack()
    {
        await using var lab = await Lab.StartAsync(2);
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        using var client = lab.CreateClient();
        await client.CoreV1.DeleteNamespacedConfigMapAsync("gang-job", lab.Cluster.Namespace);
        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);

        Assert.Equal(GangPhase.Stopped, result.Phase);
        Assert.Contains("deleted by somebody else", result.Outcome, StringComparison.Ordinal);
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedConfigMapAsync(lab.Cluster.Namespace)).Items, c => c.Metadata.Name == "gang-job");
    }

    [Fact]
    public async Task LaunchAsync_GangOfThisProcessWasStopped_RunsAnewUnderItsName()
    {
        await using var lab = await Lab.StartAsync(1);
        var first = await lab.LaunchAsync(lab.Idle(1));
        await lab.RunningAsync(first, 1);
        var pod = (await PodsAsync(lab)).Single();
        await first.StopAsync().WaitAsync(lab.Cluster.Patience);
        var second = await lab.LaunchAsync(lab.Idle(1));
        await lab.RunningAsync(second, 1);

        Assert.DoesNotContain(pod, await PodsAsync(lab));
        Assert.Equal((GangPhase.Stopped, GangPhase.Running), (first.Status.Phase, second.Status.Phase));
    }

    [Fact]
    public async Task LaunchAsync_GangOfThisProcessHasFailed_TellsItsEndAgainUntilTheRecordIsDeleted()
    {
        await using var lab = await Lab.StartAsync(1);
        var first = await lab.LaunchAsync(lab.Describe(1, 0, "no-such-program"));
        var result = await first.WaitAsync().WaitAsync(lab.Cluster.Patience);
        var again = await lab.LaunchAsync(lab.Idle(1));
        Assert.Equal(result, await again.WaitAsync().WaitAsync(lab.Cluster.Patience));
        using var client = lab.CreateClient();
        await client.CoreV1.DeleteNamespacedConfigMapAsync("gang-job", lab.Cluster.Namespace);
        var anew = await lab.LaunchAsync(lab.Idle(1));

        await lab.RunningAsync(anew, 1);
    }

    private static async Task<List<string>> PodsAsync(Lab lab)
    {
        using var client = lab.CreateClient();
        return [.. (await client.CoreV1.ListNamespacedPodAsync(lab.Cluster.Namespace)).Items.Select(p => $"{p.Metadata.Name} {p.Metadata.Uid}").Order(StringComparer.Ordinal)];
    }
}
