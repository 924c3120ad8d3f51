using System.Globalization;
using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes;

/// <summary>From a role and a request to a Pod. Pure.</summary>
internal static class PodFactory
{
    public const int RestartExitCode = RestartDetector.RestartExitCode;
    public const string RestartAllContainers = "RestartAllContainers";
    public const string AgentDirectory = "/gang/agent";
    public const string RunDirectory = "/gang/run";
    public const string SecretDirectory = "/gang/secret";

    public static V1Pod Create(GangSpec spec, PodRequest request, V1OwnerReference owner, bool restartsInPlace)
    {
        var role = spec.Role(request.Role);
        var template = Template(role);
        var pod = new V1Pod { ApiVersion = "v1", Kind = "Pod", Metadata = template.Metadata ?? new V1ObjectMeta(), Spec = template.Spec };
        Identify(pod, spec, request, owner);
        return Complete(pod, spec, role, request, restartsInPlace);
    }

    /// <summary>The same Pod for a controller that gives names, owners and numbers itself.</summary>
    public static V1PodTemplateSpec CreateTemplate(GangSpec spec, RoleSpec role, bool restartsInPlace)
    {
        var template = Template(role);
        var pod = new V1Pod { Metadata = template.Metadata ?? new V1ObjectMeta(), Spec = template.Spec };
        pod.Metadata.Labels = new Dictionary<string, string>(pod.Metadata.Labels ?? new Dictionary<string, string>())
        {
            [Labels.Gang] = spec.Name,
            [Labels.Role] = role.Name,
        };
        Complete(pod, spec, role, new PodRequest { Name = "", Role = role.Name }, restartsInPlace);
        return new V1PodTemplateSpec { Metadata = pod.Metadata, Spec = pod.Spec };
    }

    private static V1Pod Complete(V1Pod pod, GangSpec spec, RoleSpec role, PodRequest request, bool restartsInPlace)
    {
        var worker = pod.Spec.Containers[0];
        worker.Image = role.Image.Length > 0 ? role.Image : worker.Image;
        if (role.Sidecar) SidecarPod.Build(pod.Spec, worker, spec, role, restartsInPlace);
        else Wrap(pod.Spec, worker, spec, role, restartsInPlace);
        pod.Spec.RestartPolicy = "Never";
        pod.Spec.TerminationGracePeriodSeconds ??= 5;
        pod.Spec.AutomountServiceAccountToken ??= false;
        Place(pod.Spec, spec, role, request);
        if (role.Extensions.TryGetValue(typeof(PodConfiguration), out var extension)) Configure(pod, role, (PodConfiguration)extension);
        return pod;
    }

    public static bool HasRestartRule(V1Pod pod) =>
        pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).Any(c => c.RestartPolicyRules?.Any(r => r.Action == RestartAllContainers) == true);

    /// <summary>The agent is the worker's container's process 1 and starts the command.</summary>
    private static void Wrap(V1PodSpec pod, V1Container worker, GangSpec spec, RoleSpec role, bool restartsInPlace)
    {
        var agent = AddAgent(pod, worker, role);
        worker.Command = [agent, "run", "--", .. role.Command];
        worker.Args = null;
        worker.Env = [.. worker.Env ?? [], .. role.Environment.Select(e => Variable(e.Key, e.Value)), .. AgentEnvironment(spec, role)];
        AddVolume(pod, worker, new V1Volume { Name = "gang-run", EmptyDir = new V1EmptyDirVolumeSource() }, RunDirectory, readOnly: false);
        AddVolume(pod, worker, SecretVolume(spec), SecretDirectory, readOnly: true);
        if (restartsInPlace)
        {
            worker.RestartPolicy = "Never";
            worker.RestartPolicyRules = RestartRules.ForWrapper();
        }
    }

    private static void Configure(V1Pod pod, RoleSpec role, PodConfiguration configuration)
    {
        try
        {
            configuration.Apply(pod);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The user's code: whatever it throws must reach the user, and end no loop of ours.
            throw new RejectedException($"ConfigurePod of role '{role.Name}' threw {e.GetType().Name}: {e.Message}", e);
        }
    }

    private static V1PodTemplateSpec Template(RoleSpec role)
    {
        V1PodTemplateSpec template;
        try
        {
            template = role.PodTemplate is { } yaml ? KubernetesYaml.Deserialize<V1PodTemplateSpec>(yaml) : new V1PodTemplateSpec();
        }
        catch (Exception e) when (e is YamlDotNet.Core.YamlException or System.Text.Json.JsonException)
        {
            throw new RejectedException($"The Pod template of role '{role.Name}' is no YAML of a Pod or a Pod template: {e.Message}", e);
        }

        template.Spec ??= new V1PodSpec();
        if (template.Spec.Containers is null or { Count: 0 }) template.Spec.Containers = [new V1Container { Name = "worker" }];
        return template;
    }

    private static void Identify(V1Pod pod, GangSpec spec, PodRequest request, V1OwnerReference owner)
    {
        pod.Metadata.Name = request.Name;
        pod.Metadata.GenerateName = null;
        pod.Metadata.NamespaceProperty = spec.Namespace;
        pod.Metadata.OwnerReferences = [owner];
        pod.Metadata.Labels = new Dictionary<string, string>(pod.Metadata.Labels ?? new Dictionary<string, string>())
        {
            [Labels.Gang] = spec.Name,
            [Labels.Role] = request.Role,
            [Labels.Incarnation] = request.Incarnation.ToString(CultureInfo.InvariantCulture),
        };
        if (request.Worker is { } worker) pod.Metadata.Labels[Labels.Worker] = worker.ToString();
        else pod.Metadata.Labels[Labels.Spare] = "true";
        pod.Spec.Hostname = request.Name.Length <= 63 ? request.Name : null;
        pod.Spec.Subdomain = spec.Name;
    }

    private static string AddAgent(V1PodSpec pod, V1Container worker, RoleSpec role)
    {
        switch (role.AgentDelivery)
        {
            case AgentDelivery.InImage:
                return role.Agent;
            case AgentDelivery.ImageVolume:
                AddVolume(pod, worker, new V1Volume { Name = "gang-agent", Image = new V1ImageVolumeSource { Reference = role.Agent, PullPolicy = "IfNotPresent" } }, AgentDirectory, readOnly: true);
                break;
            default:
                AddVolume(pod, worker, new V1Volume { Name = "gang-agent", EmptyDir = new V1EmptyDirVolumeSource() }, AgentDirectory, readOnly: true);
                pod.InitContainers =
                [
                    new V1Container
                    {
                        Name = "gang-agent",
                        Image = role.Agent,
                        Command = ["/gang-agent", "install", AgentDirectory + "/gang-agent"],
                        VolumeMounts = [new V1VolumeMount { Name = "gang-agent", MountPath = AgentDirectory }],
                    },
                    .. pod.InitContainers ?? [],
                ];
                break;
        }

        return AgentDirectory + "/gang-agent";
    }

    public static V1Volume SecretVolume(GangSpec spec) => new()
    {
        Name = "gang-secret",
        // Never the private key: a worker must not be able to pose as the supervisor.
        Secret = new V1SecretVolumeSource
        {
            SecretName = Names.Record(spec),
            Items = [.. new[] { GangSecret.Token, GangSecret.Certificate, GangSecret.Endpoint }.Select(k => new V1KeyToPath { Key = k, Path = k })],
        },
    };

    public static void AddVolume(V1PodSpec pod, V1Container container, V1Volume volume, string path, bool readOnly)
    {
        pod.Volumes = [.. pod.Volumes ?? [], volume];
        container.VolumeMounts = [.. container.VolumeMounts ?? [], new V1VolumeMount { Name = volume.Name, MountPath = path, ReadOnlyProperty = readOnly }];
    }

    public static V1EnvVar Variable(string name, string value) => new() { Name = name, Value = value };

    /// <summary>What every container is told that knows of the gang.</summary>
    public static V1EnvVar[] GangEnvironment(GangSpec spec, RoleSpec role) =>
    [
        Variable("GANG_NAME", spec.Name),
        Variable("GANG_NAMESPACE", spec.Namespace),
        Variable("GANG_ROLE", role.Name),
        Variable("GANG_DIR", RunDirectory),
    ];

    public static IEnumerable<V1EnvVar> AgentEnvironment(GangSpec spec, RoleSpec role)
    {
        static V1EnvVar Field(string name, string path) =>
            new() { Name = name, ValueFrom = new V1EnvVarSource { FieldRef = new V1ObjectFieldSelector { FieldPath = path } } };
        return
        [
            .. GangEnvironment(spec, role),
            Variable("GANG_AGENT_SECRET_DIR", SecretDirectory),
            Variable("GANG_RESTART_EXIT_CODE", RestartExitCode.ToString(CultureInfo.InvariantCulture)),
            Variable("GANG_MASTER_PORT", spec.MasterPort.ToString(CultureInfo.InvariantCulture)),
            Field("POD_NAME", "metadata.name"),
            Field("POD_UID", "metadata.uid"),
            Field("POD_IP", "status.podIP"),
            Field("NODE_NAME", "spec.nodeName"),
        ];
    }

    private static void Place(V1PodSpec pod, GangSpec spec, RoleSpec role, PodRequest request)
    {
        if (role.OnePerNode)
        {
            pod.Affinity ??= new V1Affinity();
            pod.Affinity.PodAntiAffinity ??= new V1PodAntiAffinity();
            pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution =
            [
                .. pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution ?? [],
                new V1PodAffinityTerm
                {
                    TopologyKey = "kubernetes.io/hostname",
                    LabelSelector = new V1LabelSelector { MatchLabels = new Dictionary<string, string> { [Labels.Gang] = spec.Name } },
                },
            ];
        }

        if (request.AvoidNodes.IsEmpty && request.NodeSelector.IsEmpty) return;
        pod.Affinity ??= new V1Affinity();
        pod.Affinity.NodeAffinity ??= new V1NodeAffinity();
        var required = pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution ??= new V1NodeSelector();
        if (required.NodeSelectorTerms is null or { Count: 0 }) required.NodeSelectorTerms = [new V1NodeSelectorTerm()];
        // Terms are alternatives, so each of them must exclude the nodes and ask for the labels; one name per requirement is what the API
        // allows. Not spec.nodeSelector: it holds one value per key, and the user's own must stay.
        foreach (var term in required.NodeSelectorTerms)
        {
            term.MatchFields =
            [
                .. term.MatchFields ?? [],
                .. request.AvoidNodes.Select(n => new V1NodeSelectorRequirement { Key = "metadata.name", OperatorProperty = "NotIn", Values = [n] }),
            ];
            term.MatchExpressions =
            [
                .. term.MatchExpressions ?? [],
                .. request.NodeSelector.Select(l => new V1NodeSelectorRequirement { Key = l.Key, OperatorProperty = "In", Values = [l.Value] }),
            ];
        }
    }
}

/// <summary>What the user does to every Pod of a role, last of all.</summary>
internal sealed record PodConfiguration(IReadOnlyList<Action<V1Pod>> Actions)
{
    public void Apply(V1Pod pod)
    {
        foreach (var action in Actions) action(pod);
    }
}
