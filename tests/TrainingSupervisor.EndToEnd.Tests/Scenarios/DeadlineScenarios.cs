using k8s.Models;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>Pods that do not come, or do not come back.</summary>
internal static class DeadlineScenarios
{
    public static IEnumerable<Scenario> All()
    {
        yield return new("never-starts", FailureKind.StartTimeout, "the first Pod of w-1 has an init container that never ends; start deadline 15 s", _ => Task.CompletedTask)
        {
            Pod = pod => AddInit(pod, "-w-1-1", "exec sleep 3600"),
            Gang = g => g.WithStartDeadline(TimeSpan.FromSeconds(15)),
            StartsWell = false, Attempt = 1, Steps = "Recreate w-1, Keep w-0 w-2", IsLong = true,
        };
        yield return new("never-replaced", FailureKind.BarrierTimeout, "w-1 is deleted, and its next Pod never starts; barrier deadline 12 s", p => p.DeletePodAsync(1))
        {
            Pod = pod => AddInit(pod, "-w-1-2", "exec sleep 3600"),
            Gang = g => g.WithBarrierDeadline(TimeSpan.FromSeconds(12)),
            Cause = FailureKind.PodDeleted, Steps = "Recreate w-1, Keep w-0 w-2", IsLong = true,
        };
        yield return new("stuck", FailureKind.RestartStuck, "w-0 is killed, and an init container of w-1 never ends the second time; restart deadline 8 s", p => p.KillWorkerAsync(0))
        {
            Pod = pod => AddInit(pod, "-w-1-1", "test ! -e $(GANG_DIR)/once || exec sleep 3600; touch $(GANG_DIR)/once"),
            Gang = g => g.WithRestartDeadline(TimeSpan.FromSeconds(8)),
            Cause = FailureKind.Killed, Steps = Scenario.MoveOne, IsLong = true,
        };
        yield return new("no-node", FailureKind.Unschedulable, "a node breaks, there is no other, and it becomes well again", BreakAndMendAsync)
        {
            Cause = FailureKind.NodeUnhealthy, Steps = "Recreate w-1, Keep w-0 w-2", IsLong = true,
        };
    }

    private static void AddInit(V1Pod pod, string name, string script)
    {
        if (!pod.Metadata.Name.EndsWith(name, StringComparison.Ordinal)) return;
        pod.Spec.InitContainers =
        [
            .. pod.Spec.InitContainers ?? [],
            new V1Container
            {
                Name = "prepare",
                Image = "local/prepare:1",
                Command = ["sh", "-c", script],
                Env = [new V1EnvVar { Name = "GANG_DIR", Value = "/gang/run" }],
                VolumeMounts = [new V1VolumeMount { Name = "gang-run", MountPath = "/gang/run" }],
            },
        ];
    }

    private static async Task BreakAndMendAsync(Play play)
    {
        var node = play.Of(1).Node!;
        play.Strike();
        await play.SetConditionAsync(node, "KernelDeadlock", "True", "DockerHung", "task docker blocked");
        await play.Lab.ExpectAsync<RecoveryPlanned>(play.Gang, p => p.Plan.Attempt == 2);
        await play.SetConditionAsync(node, "KernelDeadlock", "False", "KernelHasNoDeadlock", "kernel has no deadlock");
    }
}
