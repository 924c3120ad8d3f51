using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>Containers and Pods: what kills, evicts, deletes or refuses them.</summary>
internal static class PodScenarios
{
    public static IEnumerable<Scenario> All()
    {
        yield return new("container-killed", FailureKind.Killed, "SIGKILL for the container's main process, the agent", p => p.Lab.Embedded.KillContainerAsync(p.Of(1).Pod, "worker")) { Steps = Scenario.MoveOne };
        yield return new("killed-alone", FailureKind.Killed, "the same, in a Pod that goes on with a helper container of the user's", p => p.Lab.Embedded.KillContainerAsync(p.Of(1).Pod, "worker"))
        {
            Pod = AddHelper, Steps = Scenario.MoveOne,
        };
        yield return new("helper-exit", FailureKind.ApplicationError, "a helper container of the user's exits with 7, for which its own rule restarts all containers", ExitHelperAsync) { Pod = AddHelper };
        yield return new("unordered", FailureKind.UnorderedRestart, "the same, and the watch shows nothing of it", UnseenAsync)
        {
            Pod = AddHelper, Steps = "RestartInPlace w-0 w-2, Keep w-1", Alone = true,
        };
        yield return new("oom", FailureKind.OutOfMemory, "the kernel's OOM killer ends the container", p => p.Lab.Embedded.KillContainerAsync(p.Of(1).Pod, "worker", outOfMemory: true)) { Steps = Scenario.MoveOne };
        yield return new("oom-alone", FailureKind.OutOfMemory, "the same, in a Pod that goes on with a helper container of the user's", p => p.Lab.Embedded.KillContainerAsync(p.Of(1).Pod, "worker", outOfMemory: true))
        {
            Pod = AddHelper, Steps = Scenario.MoveOne,
        };
        yield return new("oom-again", FailureKind.OutOfMemory, "the kernel's OOM killer for the fourth time, and no progress between", RunOutOfMemoryAgainAsync) { Fails = true };
        yield return new("deleted", FailureKind.PodDeleted, "`kubectl delete pod`", p => p.DeletePodAsync(1)) { Beside = "trap '' TERM;", Steps = Scenario.MoveOne };
        yield return new("deleted-politely", FailureKind.PodDeleted, "the same, and its worker ends with 0 on SIGTERM", p => p.DeletePodAsync(1)) { Beside = "trap 'exit 0' TERM; while :; do sleep 0.1; done;", Steps = Scenario.MoveOne };
        yield return new("evicted", FailureKind.Evicted, "the eviction API, as `kubectl drain` uses it", p => p.Lab.Embedded.EvictPodAsync(p.Of(1).Pod)) { Steps = Scenario.MoveOne };
        yield return new("pressure", FailureKind.Evicted, "the kubelet evicts it: its emptyDir is beyond its limit", p => p.TellAsync(1, "head -c 3000000 /dev/zero > $SCRATCH/full"))
        {
            Pod = AddScratch, Steps = Scenario.MoveOne, MoreNodes = 1,
        };
        yield return new("preempted", FailureKind.Preempted, "a Pod of higher priority takes its node", PreemptAsync)
        {
            Pod = pod => pod.Spec.Containers[0].Resources = new V1ResourceRequirements { Requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("40") } },
            Steps = Scenario.MoveOne, MoreNodes = 1,
        };
        yield return new("tainted", FailureKind.Evicted, "a NoExecute taint: the taint manager deletes it", p => p.NodeOf(1).AddTaintAsync(new NodeTaint("maintenance", "now", "NoExecute"))) { Steps = Scenario.MoveOne, MoreNodes = 1 };
        yield return new("reported-pod", FailureKind.HealthCheckFailed, "the annotation `training-supervisor.dev/failure` on the Pod", p => p.AnnotatePodAsync(1, "ECC errors in HBM")) { Steps = Scenario.MoveOne };
        yield return Broken("image", FailureKind.ImageUnavailable, "its image cannot be had", c => c.Image = "registry.invalid/train:1");
        yield return Broken("config", FailureKind.InvalidPod, "it names a ConfigMap that does not exist", c => c.Env.Add(new V1EnvVar
        {
            Name = "SETTING", ValueFrom = new V1EnvVarSource { ConfigMapKeyRef = new V1ConfigMapKeySelector { Name = "no-such-map", Key = "setting" } },
        }));
        yield return Broken("refused", FailureKind.InvalidPod, "the API server refuses the Pod", c => c.VolumeMounts.Add(new V1VolumeMount { Name = "no-such-volume", MountPath = "/data" }));
        yield return Broken("no-program", FailureKind.StartError, "its command does not exist", c => c.Command[3] = "no-such-program");
    }

    private static Scenario Broken(string name, FailureKind kind, string injected, Action<V1Container> how) => new(name, kind, injected, _ => Task.CompletedTask)
    {
        Pod = pod =>
        {
            if (pod.Metadata.Name.Contains("-w-1-", StringComparison.Ordinal)) how(pod.Spec.Containers[0]);
        },
        StartsWell = false,
        Fails = true,
    };

    private static void AddHelper(V1Pod pod) => pod.Spec.Containers.Add(new V1Container
    {
        Name = "helper",
        Image = "local/helper:1",
        Command = ["sh", "-c", "trap 'exit 0' TERM; while ! test -e $(GANG_DIR)/exit-helper; do sleep 0.1; done; rm $(GANG_DIR)/exit-helper; exit 7"],
        Env = [new V1EnvVar { Name = "GANG_DIR", Value = "/gang/run" }],
        VolumeMounts = [new V1VolumeMount { Name = "gang-run", MountPath = "/gang/run" }],
        RestartPolicy = "Never",
        RestartPolicyRules =
        [
            new V1ContainerRestartRule { Action = "RestartAllContainers", ExitCodes = new V1ContainerRestartRuleOnExitCodes { OperatorProperty = "In", Values = [7] } },
        ],
    });

    private static async Task RunOutOfMemoryAgainAsync(Play play)
    {
        for (var attempt = 2; attempt <= 4; attempt++)
        {
            await play.Lab.Embedded.KillContainerAsync(play.Of(1).Pod, "worker", outOfMemory: true);
            await play.StartedAsync(attempt);
        }

        play.Strike();
        await play.Lab.Embedded.KillContainerAsync(play.Of(1).Pod, "worker", outOfMemory: true);
    }

    private static Task ExitHelperAsync(Play play) => play.TellAsync(1, "touch $GANG_DIR/exit-helper");

    private static async Task UnseenAsync(Play play)
    {
        using var blind = play.Lab.Embedded.Api.FreezeWatches();
        await ExitHelperAsync(play);
        await play.Lab.RunningAsync(play.Gang, 2);
    }

    private static void AddScratch(V1Pod pod)
    {
        pod.Spec.Volumes.Add(new V1Volume { Name = "scratch", EmptyDir = new V1EmptyDirVolumeSource { SizeLimit = new ResourceQuantity("1Mi") } });
        pod.Spec.Containers[0].VolumeMounts.Add(new V1VolumeMount { Name = "scratch", MountPath = "/scratch" });
        pod.Spec.Containers[0].Env.Add(new V1EnvVar { Name = "SCRATCH", Value = "/scratch" });
    }

    private static Task<V1Pod> PreemptAsync(Play play) => play.Client.CoreV1.CreateNamespacedPodAsync(
        new V1Pod
        {
            Metadata = new V1ObjectMeta { Name = "urgent" },
            Spec = new V1PodSpec
            {
                PriorityClassName = "system-node-critical",
                NodeSelector = new Dictionary<string, string> { ["kubernetes.io/hostname"] = play.Of(1).Node! },
                Containers =
                [
                    new V1Container
                    {
                        Name = "urgent", Image = "local/urgent:1", Command = ["sleep", "3600"],
                        Resources = new V1ResourceRequirements { Requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("40") } },
                    },
                ],
            },
        },
        play.Lab.Cluster.Namespace);
}
