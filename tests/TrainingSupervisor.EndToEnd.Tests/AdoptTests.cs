using k8s;
using k8s.Models;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A gang whose Pods something else creates: found, supervised, restarted in place, and replaced by its controller.</summary>
[Collection(nameof(OneAtATime))]
public sealed class AdoptTests
{
    private const string Why = "its controller is in the test, and faults are injected into the cluster";

    [EmbeddedFact(Why)]
    public async Task Recovery_ProcessKilled_AllRestartInPlaceInTheSamePods()
    {
        await using var lab = await Lab.StartAsync(3);
        await using var job = Start(lab, 3);
        var gang = await lab.LaunchAsync(Describe(lab, 3));
        await lab.RunningAsync(gang, 1);
        var before = await UidsAsync(job);
        await lab.Cluster.KillWorkerAsync(gang.Status.Workers[2].Pod);
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal((FailureKind.Killed, new WorkerId("w", 2), 9), (plan.Cause!.Kind, plan.Cause.Worker!.Value, plan.Cause.Signal));
        Assert.All(plan.Steps, s => Assert.Equal(RecoveryStep.RestartInPlace, s.Step));
        Assert.Equal(before, await UidsAsync(job));
        Assert.Equal(before.Keys.Order(), gang.Status.Workers.Select(w => w.Worker!.Value.Index));
        using var client = lab.CreateClient();
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedServiceAsync(lab.Cluster.Namespace)).Items, s => s.Metadata.Name == "job");
    }

    [EmbeddedFact(Why)]
    public async Task Recovery_PodDeleted_ItsControllersNextJoinsUnderAnotherSupervisor()
    {
        await using var lab = await Lab.StartAsync(3);
        await using var job = Start(lab, 3);
        var gang = await lab.LaunchAsync(Describe(lab, 3));
        await lab.RunningAsync(gang, 1);
        var before = await UidsAsync(job);
        job.Paused = true;
        using var client = lab.CreateClient();
        await client.CoreV1.DeleteNamespacedPodAsync(gang.Status.Workers[0].Pod, lab.Cluster.Namespace, new V1DeleteOptions { GracePeriodSeconds = 1 });
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;
        Assert.Equal([RecoveryStep.Recreate, RecoveryStep.RestartInPlace, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));

        // The supervisor goes while the gang waits for the Pod that is not there yet.
        await lab.RestartHostAsync();
        job.Paused = false;
        var again = await lab.LaunchAsync(Describe(lab, 3));
        await lab.RunningAsync(again, 2);
        await lab.RecordedAsync(again, 2);
        var after = await UidsAsync(job);

        Assert.NotEqual(before[0], after[0]);
        Assert.Equal((before[1], before[2]), (after[1], after[2]));
        Assert.Equal((await job.PodsAsync()).OrderBy(p => p.Key).Select(p => p.Value.Metadata.Name), again.Status.Workers.Select(w => w.Pod));
    }

    [EmbeddedFact(Why)]
    public async Task Recovery_NodeDies_ItsPodIsReplacedElsewhereAndTheOthersKeepTheirs()
    {
        await using var lab = await Lab.StartAsync(4);
        await using var job = Start(lab, 3);
        var gang = await lab.LaunchAsync(Describe(lab, 3));
        await lab.RunningAsync(gang, 1);
        var before = await UidsAsync(job);
        var lost = gang.Status.Workers[1].Node!;
        await lab.Embedded.Nodes[lost].FailAsync();
        await lab.RunningAsync(gang, 2);
        var after = await UidsAsync(job);

        Assert.Equal(FailureKind.NodeLost, (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan.Cause!.Kind);
        Assert.NotEqual(before[1], after[1]);
        Assert.Equal((before[0], before[2]), (after[0], after[2]));
        Assert.NotEqual(lost, gang.Status.Workers[1].Node);
    }

    [EmbeddedFact(Why)]
    public async Task StopAsync_AdoptedPods_TheirAgentsEndAndTheirControllerDecides()
    {
        await using var lab = await Lab.StartAsync(2);
        await using var job = Start(lab, 2);
        var gang = await lab.LaunchAsync(Describe(lab, 2));
        await lab.RunningAsync(gang, 1);
        var before = await UidsAsync(job);
        job.Paused = true;
        var result = await gang.StopAsync().WaitAsync(lab.Cluster.Patience);
        IList<V1Pod> pods = [];
        await lab.UntilAsync(async _ => (pods = await job.ListAsync()).All(p => p.Status.Phase == "Failed"));

        Assert.Equal(GangPhase.Stopped, result.Phase);
        Assert.Equal(before.Values.Order(), pods.Select(p => p.Metadata.Uid).Order());
        Assert.All(pods, p => Assert.Equal(89, p.Status.ContainerStatuses.Single().State.Terminated.ExitCode));
        using var client = lab.CreateClient();
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedConfigMapAsync(lab.Cluster.Namespace)).Items, c => c.Metadata.Name == "gang-job");
    }

    [EmbeddedFact(Why)]
    public async Task Gang_WorkersEndWell_SucceedsAndSoDoThePods()
    {
        await using var lab = await Lab.StartAsync(2);
        var request = Request(lab, 2, "sh", "-c", "sleep 1");
        await using var job = Start(lab, request, 2);
        var gang = await lab.LaunchAsync(request.Describe());
        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);
        IList<V1Pod> pods = [];
        await lab.UntilAsync(async _ => !(pods = await job.ListAsync()).Any(p => p.Status.Phase is "Running"));

        Assert.True(result.Succeeded, result.Outcome);
        Assert.Equal(["Succeeded", "Succeeded"], pods.Select(p => p.Status.Phase));
    }

    /// <summary>The Job is there before the gang: its Pods wait for the gang's Secret.</summary>
    private static JobLikeController Start(Lab lab, int workers) => Start(lab, Request(lab, workers), workers);

    private static JobLikeController Start(Lab lab, GangRequest request, int workers) =>
        new(lab.CreateClient(), lab.Cluster.Namespace, request.Describe().Build().ToPodTemplate("w"), workers);

    private static GangBuilder Describe(Lab lab, int workers) => Request(lab, workers).Describe();

    private static GangRequest Request(Lab lab, int workers, params string[] command) =>
        lab.Cluster.Request(workers, 0, command.Length > 0 ? command : ["sh", "-c", "exec sleep 3600"]) with { AdoptSelector = JobLikeController.Selector };

    private static async Task<Dictionary<int, string>> UidsAsync(JobLikeController job) =>
        (await job.PodsAsync()).ToDictionary(p => p.Key, p => p.Value.Metadata.Uid);
}
