using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>What announces itself costs no step: all are asked to save before anybody is ended, and go on from what they have saved.</summary>
[Collection(nameof(OneAtATime))]
public sealed class NoticeTests : IDisposable
{
    private const string Why = "it tells a node's end beforehand";
    private readonly SavingWorker _worker = new();

    public void Dispose() => _worker.Dispose();

    [EmbeddedTheory(Why)]
    [InlineData("cloud.google.com/impending-node-termination", "NoSchedule")]
    [InlineData("aws-node-termination-handler/spot-itn", "NoExecute")]
    public async Task Taint_NodeAboutToGo_WorkerIsMovedAndNoStepIsLost(string taint, string effect)
    {
        await using var lab = await Lab.StartAsync(5);
        var gang = await StartAsync(lab);
        await MovedAsync(lab, gang, () => lab.Embedded.Nodes[gang.Status.Workers[1].Node!].AddTaintAsync(new NodeTaint(taint, "", effect)));
    }

    [EmbeddedFact(Why)]
    public async Task Eviction_AgentStillTalks_AllSaveWithinItsGrace()
    {
        await using var lab = await Lab.StartAsync(5);
        var gang = await StartAsync(lab);
        using var client = lab.CreateClient();
        var plan = await MovedAsync(lab, gang, () => client.CoreV1.CreateNamespacedPodEvictionAsync(
            new V1Eviction { Metadata = new V1ObjectMeta { Name = gang.Status.Workers[1].Pod, NamespaceProperty = lab.Cluster.Namespace } },
            gang.Status.Workers[1].Pod, lab.Cluster.Namespace));

        Assert.Equal(FailureKind.Evicted, plan.Cause!.Kind);
    }

    [EmbeddedTheory(Why)]
    [InlineData("worker")]
    [InlineData("Pod")]
    [InlineData("node")]
    public async Task ReportFailure_LauncherKnowsThatANodeGoes_AllSaveFirst(string names)
    {
        await using var lab = await Lab.StartAsync(5);
        var gang = await StartAsync(lab);
        var plan = await MovedAsync(lab, gang, () =>
        {
            var failure = new Failure(FailureKind.NodeDraining, "maintenance at noon", DateTimeOffset.UtcNow);
            var meant = gang.Status.Workers[1];
            gang.ReportFailure(names switch
            {
                "worker" => failure with { Worker = meant.Worker },
                "Pod" => failure with { Pod = meant.Pod },
                _ => failure with { Node = meant.Node },
            });
            return Task.CompletedTask;
        });

        Assert.Equal("maintenance at noon", plan.Cause!.Evidence);
    }

    [EmbeddedFact(Why)]
    public async Task Cordon_NoReplacementYet_TrainsOnUntilOneWaits()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await StartAsync(lab, spares: 0);
        var node = gang.Status.Workers[1].Node!;
        await lab.Embedded.Nodes[node].CordonAsync();
        // A replacement is wanted and finds no node.
        await lab.PodsAsync(pods => pods.Any(p => p.Status.Conditions?.Any(c => c is { Type: "PodScheduled", Status: "False" }) == true));
        var steps = _worker.LastStep(1);
        await lab.UntilAsync(() => _worker.LastStep(1) > steps + 20);

        Assert.Equal((GangPhase.Running, 1), (gang.Status.Phase, gang.Status.Attempt));
        Assert.Empty(_worker.Asked);
        var plan = await MovedAsync(lab, gang, () => lab.Embedded.AddNodeAsync("another"));

        Assert.Equal((FailureKind.NodeDraining, "another"), (plan.Cause!.Kind, gang.Status.Workers[1].Node));
    }

    private async Task<GangHandle> StartAsync(Lab lab, int spares = 1)
    {
        var gang = await lab.LaunchAsync(lab.Describe(3, spares, _worker.Command).WithQuiesce(TimeSpan.FromSeconds(25)));
        await lab.RunningAsync(gang, 1);
        await lab.UntilAsync(() => gang.Status.Workers.Count(w => w is { Worker: null, State: "Waiting" }) == spares && Enumerable.Range(0, 3).All(r => _worker.LastStep(r) > 3));
        return gang;
    }

    /// <summary>
    /// Gives notice, and returns the plan that moved worker 1, after it has seen that nobody was ended before the slowest had saved, and that each
    /// rank went on with the step after the one that it had saved.
    /// </summary>
    private async Task<RecoveryPlan> MovedAsync(Lab lab, GangHandle gang, Func<Task> giveNotice)
    {
        var before = gang.Status.Workers;
        await giveNotice();
        await lab.RunningAsync(gang, 2);
        await lab.UntilAsync(() => Enumerable.Range(0, 3).All(r => _worker.Steps(r).Any(s => s.Attempt == 2)));
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.True(_worker.AllRanUntilTheSlowestHadSaved, "a worker was ended before all had saved");
        Assert.Equal([0, 1, 2], _worker.Asked.Order());
        Assert.Equal(TimeSpan.FromSeconds(25), plan.QuiesceDeadline);
        Assert.Equal(new WorkerId("w", 1), plan.Cause!.Worker);
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.ReplaceWithSpare, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
        Assert.NotEqual(before[1].Node, gang.Status.Workers[1].Node);
        for (var rank = 0; rank < 3; rank++)
        {
            var steps = _worker.Steps(rank);
            Assert.Equal(Enumerable.Range(1, steps.Count), steps.Select(s => s.Step));
        }

        return plan;
    }
}
