using k8s.Models;

namespace TrainingSupervisor.Kubernetes;

/// <summary>What makes a Pod one whose agent is a sidecar: it holds the worker's container back by its startup probe.</summary>
internal static class SidecarPod
{
    private const string Agent = "/gang-agent";

    public static void Build(V1PodSpec pod, V1Container worker, GangSpec spec, RoleSpec role, bool restartsInPlace)
    {
        if (!role.Command.IsEmpty) (worker.Command, worker.Args) = ([.. role.Command], null);
        worker.Env = [.. worker.Env ?? [], .. role.Environment.Select(e => PodFactory.Variable(e.Key, e.Value)), .. WorkerEnvironment(spec, role)];
        // Nobody reads its stderr but the kubelet: its last lines are then in the status when it ends with an error.
        worker.TerminationMessagePolicy ??= "FallbackToLogsOnError";
        var inImage = role.AgentDelivery == AgentDelivery.InImage;
        var path = inImage ? role.Agent : Agent;
        var sidecar = new V1Container
        {
            Name = "gang-agent",
            Image = inImage ? worker.Image : role.Agent,
            ImagePullPolicy = "IfNotPresent",
            Command = [path, "sidecar"],
            Env = [.. PodFactory.AgentEnvironment(spec, role)],
            RestartPolicy = "Always",
            StartupProbe = new V1Probe
            {
                Exec = new V1ExecAction { Command = [path, "ready"] },
                PeriodSeconds = 1,
                TimeoutSeconds = 5,
                // It waits for as long as the others need. How long that may be is the gang's deadline and not the kubelet's.
                FailureThreshold = int.MaxValue,
            },
        };
        var run = new V1Volume { Name = "gang-run", EmptyDir = new V1EmptyDirVolumeSource() };
        PodFactory.AddVolume(pod, worker, run, PodFactory.RunDirectory, readOnly: false);
        sidecar.VolumeMounts = [new V1VolumeMount { Name = run.Name, MountPath = PodFactory.RunDirectory }];
        PodFactory.AddVolume(pod, sidecar, PodFactory.SecretVolume(spec), PodFactory.SecretDirectory, readOnly: true);
        if (restartsInPlace)
        {
            worker.RestartPolicyRules = RestartRules.ForWorker(spec, role, worker);
            // Required once there are rules, and what the Pod says anyway.
            worker.RestartPolicy = worker.RestartPolicyRules.Count > 0 ? "Never" : null;
            sidecar.RestartPolicyRules = RestartRules.ForSidecar();
        }

        // Last: the user's own init containers have done their work when it reaches the barrier.
        pod.InitContainers = [.. pod.InitContainers ?? [], sidecar];
    }

    private static IEnumerable<V1EnvVar> WorkerEnvironment(GangSpec spec, RoleSpec role) =>
    [
        .. PodFactory.GangEnvironment(spec, role),
        PodFactory.Variable("GANG_ENV_FILE", PodFactory.RunDirectory + "/env"),
        PodFactory.Variable("GANG_ROSTER_FILE", PodFactory.RunDirectory + "/roster.json"),
        PodFactory.Variable("GANG_HOSTS_FILE", PodFactory.RunDirectory + "/hosts"),
        PodFactory.Variable("GANG_PROGRESS_FILE", PodFactory.RunDirectory + "/progress"),
        PodFactory.Variable("GANG_PROGRESS_SOCKET", PodFactory.RunDirectory + "/progress.sock"),
    ];
}
