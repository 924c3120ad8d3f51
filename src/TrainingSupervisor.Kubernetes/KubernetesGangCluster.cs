using System.Net;
using System.Text;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>One gang in one cluster.</summary>
internal sealed class KubernetesGangCluster(IKubernetes client, IKubernetesHttp http, ApiCalls calls, KubernetesOptions options, TimeProvider time, ILogger log) : IGangCluster
{
    private const string RecordKey = "record";

    private V1ConfigMap? _record;
    private bool _restartsInPlace;

    public async Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        var ns = spec.Namespace;
        _record = await calls.RunAsync(Can("get", "configmaps", spec), HttpStatusCode.NotFound, t => client.CoreV1.ReadNamespacedConfigMapAsync(name, ns, cancellationToken: t), cancellationToken)
            ?? await calls.RunAsync(Can("create", "configmaps", spec), t => client.CoreV1.CreateNamespacedConfigMapAsync(NewRecord(spec), ns, cancellationToken: t), cancellationToken);
        var record = RecordJson.Read(_record.Data?.TryGetValue(RecordKey, out var json) == true ? json : "{}", name);

        var secret = await calls.RunAsync(Can("get", "secrets", spec), HttpStatusCode.NotFound, t => client.CoreV1.ReadNamespacedSecretAsync(name, ns, cancellationToken: t), cancellationToken);
        if (secret is null)
        {
            secret = new V1Secret { Metadata = Owned(spec, name), Data = GangSecret.Create(spec, endpoint, time.GetUtcNow()) };
            await calls.RunAsync(Can("create", "secrets", spec), HttpStatusCode.Conflict, t => client.CoreV1.CreateNamespacedSecretAsync(secret, ns, cancellationToken: t), cancellationToken);
        }
        else if (Encoding.ASCII.GetString(secret.Data[GangSecret.Endpoint]) != endpoint)
        {
            // Agents read the file anew at each attempt to connect: so they find a supervisor that has moved.
            secret.Data[GangSecret.Endpoint] = Encoding.ASCII.GetBytes(endpoint);
            await calls.RunAsync(Can("update", "secrets", spec), t => client.CoreV1.ReplaceNamespacedSecretAsync(secret, name, ns, cancellationToken: t), cancellationToken);
        }

        if (record.Phase == GangPhase.Pending)
        {
            await calls.RunAsync(Can("create", "services", spec), HttpStatusCode.Conflict, t => client.CoreV1.CreateNamespacedServiceAsync(NewService(spec), ns, cancellationToken: t), cancellationToken);
        }

        _restartsInPlace = await ProbeAsync(spec, cancellationToken);
        return new GangBinding(record.Phase == GangPhase.Pending ? null : record, GangSecret.Read(secret), _restartsInPlace);
    }

    public Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken) =>
        new GangWatch(http, calls, options, time, KubernetesGangClusterFactory.Random, log).RunAsync(spec, sink, cancellationToken);

    public async Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        var text = RecordJson.Write(record);
        var next = new V1ConfigMap { ApiVersion = "v1", Kind = "ConfigMap", Metadata = _record!.Metadata, Data = new Dictionary<string, string> { [RecordKey] = text } };
        var written = await calls.RunAsync(Can("update", "configmaps", spec), HttpStatusCode.Conflict,
            t => client.CoreV1.ReplaceNamespacedConfigMapAsync(next, name, spec.Namespace, cancellationToken: t), cancellationToken);
        if (written is null)
        {
            // Either another wrote, or the answer to our own write was lost and this was its repetition.
            written = await calls.RunAsync(Can("get", "configmaps", spec), t => client.CoreV1.ReadNamespacedConfigMapAsync(name, spec.Namespace, cancellationToken: t), cancellationToken);
            if (written.Data?.TryGetValue(RecordKey, out var stored) != true || stored != text)
            {
                throw new RecordConflictException($"Another supervisor has written the record {name}.");
            }
        }

        _record = written;
    }

    public async Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken)
    {
        var pod = PodFactory.Create(spec, request, Owner(spec), _restartsInPlace);
        await calls.RunAsync(Can("create", "pods", spec), HttpStatusCode.Conflict, t => client.CoreV1.CreateNamespacedPodAsync(pod, spec.Namespace, cancellationToken: t), cancellationToken);
    }

    public async Task DeletePodAsync(GangSpec spec, string name, string uid, bool force, CancellationToken cancellationToken)
    {
        var how = new V1DeleteOptions { GracePeriodSeconds = force ? 0 : null, Preconditions = new V1Preconditions { Uid = uid } };
        try
        {
            await calls.RunAsync(Can("delete", "pods", spec), HttpStatusCode.NotFound, t => client.CoreV1.DeleteNamespacedPodAsync(name, spec.Namespace, how, cancellationToken: t), cancellationToken);
        }
        catch (SupervisorException e) when (e.InnerException is k8s.Autorest.HttpOperationException { Response.StatusCode: HttpStatusCode.Conflict })
        {
            // Another Pod has the name by now: ours is gone.
        }
    }

    public async Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var how = new V1DeleteOptions { PropagationPolicy = "Background", Preconditions = new V1Preconditions { Uid = _record!.Metadata.Uid } };
        await calls.RunAsync(Can("delete", "configmaps", spec), HttpStatusCode.NotFound,
            t => client.CoreV1.DeleteNamespacedConfigMapAsync(Names.Record(spec), spec.Namespace, how, cancellationToken: t), cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Old API servers drop the field without a word, so only the answer to a dry run tells.</summary>
    private async Task<bool> ProbeAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var probe = new V1Pod
        {
            ApiVersion = "v1",
            Kind = "Pod",
            Metadata = new V1ObjectMeta { Name = $"{spec.Name}-probe" },
            Spec = new V1PodSpec
            {
                RestartPolicy = "Never",
                Containers =
                [
                    new V1Container
                    {
                        Name = "probe",
                        Image = "probe",
                        RestartPolicy = "Never",
                        RestartPolicyRules =
                        [
                            new V1ContainerRestartRule
                            {
                                Action = "RestartAllContainers",
                                ExitCodes = new V1ContainerRestartRuleOnExitCodes { OperatorProperty = "In", Values = [PodFactory.RestartExitCode] },
                            },
                        ],
                    },
                ],
            },
        };
        var answer = await calls.RunAsync(Can("create", "pods", spec), HttpStatusCode.UnprocessableEntity,
            t => client.CoreV1.CreateNamespacedPodAsync(probe, spec.Namespace, dryRun: "All", cancellationToken: t), cancellationToken);
        return answer?.Spec.Containers[0].RestartPolicyRules is { Count: > 0 } rules && rules[0].Action == "RestartAllContainers";
    }

    private static V1ConfigMap NewRecord(GangSpec spec) => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Names.Record(spec),
            NamespaceProperty = spec.Namespace,
            Labels = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
        },
        Data = new Dictionary<string, string> { [RecordKey] = RecordJson.Write(new GangRecord { Phase = GangPhase.Pending }) },
    };

    private V1Service NewService(GangSpec spec) => new()
    {
        Metadata = Owned(spec, spec.Name),
        Spec = new V1ServiceSpec
        {
            ClusterIP = "None",
            PublishNotReadyAddresses = true,
            Selector = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
        },
    };

    private V1ObjectMeta Owned(GangSpec spec, string name) => new()
    {
        Name = name,
        NamespaceProperty = spec.Namespace,
        Labels = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
        OwnerReferences = [Owner(spec)],
    };

    private V1OwnerReference Owner(GangSpec spec) => new()
    {
        ApiVersion = "v1",
        Kind = "ConfigMap",
        Name = Names.Record(spec),
        Uid = _record!.Metadata.Uid,
        Controller = true,
        BlockOwnerDeletion = false,
    };

    private static Permission Can(string verb, string resource, GangSpec spec) => new(verb, resource, spec.Namespace);
}
