using k8s;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>Gangs whose agents are sidecars: the kubelet starts the workers' containers, and their ends stand in the Pods' status only.</summary>
[Collection(nameof(OneAtATime))]
public sealed class SidecarTests
{
    [EmbeddedFact("it writes into a running Pod")]
    public async Task Recovery_ExitCodeOfTheRule_RestartsAllInPlace()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(Describe(lab));
        await StartedAsync(lab, gang, 1);
        var before = await PodsAsync(lab);

        await ExitAsync(lab, gang.Status.Workers[1].Pod, 7);

        await StartedAsync(lab, gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;
        Assert.Equal((FailureKind.ApplicationError, 7, new WorkerId("w", 1)), (plan.Cause!.Kind, plan.Cause.ExitCode!.Value, plan.Cause.Worker!.Value));
        Assert.All(plan.Steps, s => Assert.Null(s.OldPod));
        Assert.Equal(before, await PodsAsync(lab));
    }

    [EmbeddedFact("it writes into a running Pod")]
    public async Task Recovery_ExitCodeThatIsNotInTheRule_RecreatesThatPodAndRestartsTheOthersInPlace()
    {
        await using var lab = await Lab.StartAsync(3);
        // A start error is the one code for which nobody may say beforehand what it is.
        var gang = await lab.LaunchAsync(Describe(lab));
        await StartedAsync(lab, gang, 1);
        var before = await PodsAsync(lab);

        await ExitAsync(lab, gang.Status.Workers[1].Pod, 128);

        await StartedAsync(lab, gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
        Assert.Equal(2, before.Intersect(await PodsAsync(lab)).Count());
    }

    [EmbeddedFact("it writes into a running Pod")]
    public async Task Gang_WorkersEndWell_Succeeds()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(Describe(lab));
        await StartedAsync(lab, gang, 1);

        foreach (var worker in gang.Status.Workers) await ExitAsync(lab, worker.Pod, 0);

        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);
        Assert.True(result.Succeeded, result.Outcome);
        Assert.Equal(1, gang.Status.Attempt);
    }

    [EmbeddedTheory("it writes into a running Pod")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Gang_ThatIsOver_LeavesNoPodThatWaitsOrTrains(bool stopped)
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(Describe(lab).WithPolicy(p => p.OnExitCode([9], RecoveryStrategy.FailGang)));
        await StartedAsync(lab, gang, 1);

        if (stopped) await gang.StopAsync();
        else await ExitAsync(lab, gang.Status.Workers[1].Pod, 9);

        var result = await gang.WaitAsync().WaitAsync(lab.Cluster.Patience);
        Assert.False(result.Succeeded);
        await lab.PodsAsync(pods => !pods.Any(p => p.Status.Phase is "Pending" or "Running"));
    }

    private static GangBuilder Describe(Lab lab)
    {
        var request = lab.Cluster.Request(3, 0, []);
        return Gang.Create(request.Name).WithNamespace(request.Namespace)
            .AddRole("w", r => r.WithCount(3).WithImage(request.WorkerImage).WithAgentFromImageVolume(request.Agent).AsSidecar().WithPodTemplate("""
                spec:
                  containers:
                  - name: worker
                    command: [sh, -c, ". $GANG_ENV_FILE; echo \"step $GANG_ATTEMPT\" >> $GANG_PROGRESS_FILE; while ! test -e $GANG_DIR/die; do sleep 0.05; done; read code < $GANG_DIR/die; rm $GANG_DIR/die; exit $code"]
                """))
            .WithHeartbeat(TimeSpan.FromSeconds(request.HeartbeatSeconds)).WithFence(TimeSpan.FromSeconds(request.FenceSeconds))
            .WithStartDeadline(TimeSpan.FromSeconds(request.StartSeconds)).WithBarrierDeadline(TimeSpan.FromSeconds(request.BarrierSeconds));
    }

    /// <summary>Lets the worker end with this code.</summary>
    private static async Task ExitAsync(Lab lab, string pod, int code)
    {
        var environment = await File.ReadAllTextAsync($"/proc/{lab.Embedded.GetContainerProcessId(pod, "worker")}/environ");
        var directory = environment.Split('\0').Single(v => v.StartsWith("GANG_DIR=", StringComparison.Ordinal))["GANG_DIR=".Length..];
        await File.WriteAllTextAsync(Path.Combine(directory, "die.new"), $"{code}\n");
        File.Move(Path.Combine(directory, "die.new"), Path.Combine(directory, "die"));
    }

    /// <summary>Running, and each worker's container as well: the kubelet starts it when its probe has found the gate open.</summary>
    private static async Task StartedAsync(Lab lab, GangHandle gang, int attempt)
    {
        await lab.RunningAsync(gang, attempt);
        await lab.PodsAsync(pods =>
        {
            var names = gang.Status.Workers.Select(w => w.Pod).ToHashSet();
            return pods.Count(p => names.Contains(p.Metadata.Name) && p.Status.ContainerStatuses?.All(c => c.State.Running is not null) == true) == names.Count;
        });
    }

    private static async Task<List<string>> PodsAsync(Lab lab)
    {
        using var client = lab.CreateClient();
        return [.. (await client.CoreV1.ListNamespacedPodAsync(lab.Cluster.Namespace)).Items.Where(p => p.Metadata.DeletionTimestamp is null).Select(p => $"{p.Metadata.Name}/{p.Metadata.Uid}").Order(StringComparer.Ordinal)];
    }
}
