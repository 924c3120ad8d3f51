using System.Net;
using System.Text;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>One gang in one cluster.</summary>
internal sealed class KubernetesGangCluster(IKubernetes client, IKubernetesHttp http, ApiCalls calls, KubernetesOptions options, TimeProvider time, ILogger log) : IGangCluster
{
    private readonly GangObjects _objects = new(client, calls);
    private V1ConfigMap? _record;
    private GangWatch? _watch;
    private string? _refusal;
    private volatile string? _starved;
    private RestartChoice _choice = new(true, null);

    public async Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken)
    {
        _record = await _objects.RecordAsync(spec, cancellationToken);
        var record = RecordData.Read(_record);
        var isNew = record.Phase == GangPhase.Pending;
        var owner = GangObjects.Owner(spec, _record);
        var secret = await _objects.SecretAsync(spec, owner, endpoint, time.GetUtcNow(), cancellationToken);
        // Pods that something else makes have their own names in DNS, and each tells itself whether it has the rule.
        if (!spec.IsAdopted)
        {
            if (isNew) await _objects.ServiceAsync(spec, owner, cancellationToken);
            _refusal = await RestartProbe.RunAsync(client, calls, spec, owner, isNew, cancellationToken);
            Choose(spec);
        }

        _watch = new GangWatch(http, calls, options, time, KubernetesGangClusterFactory.Random, log, spec, _record.Metadata.Uid)
        {
            AlsoFollow = [.. record.Retired.Values.Select(r => r.Node).OfType<string>()],
            OnPod = Notice,
        };
        return new GangBinding(isNew ? null : record, GangSecret.Read(secret), _refusal is null);
    }

    public async Task<bool> ExistsAsync(GangSpec spec, CancellationToken cancellationToken) =>
        await calls.RunAsync(Can("get", "configmaps", spec), HttpStatusCode.NotFound,
            t => client.CoreV1.ReadNamespacedConfigMapAsync(Names.Record(spec), spec.Namespace, cancellationToken: t), cancellationToken) is not null;

    public Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken) => _watch!.RunAsync(sink, cancellationToken);

    public async Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        var next = new V1ConfigMap { ApiVersion = "v1", Kind = "ConfigMap", Metadata = _record!.Metadata };
        RecordData.Write(next, record);
        V1ConfigMap? written;
        try
        {
            written = await calls.RunAsync(Can("update", "configmaps", spec), HttpStatusCode.Conflict,
                t => client.CoreV1.ReplaceNamespacedConfigMapAsync(next, name, spec.Namespace, cancellationToken: t), cancellationToken);
        }
        catch (SupervisorException e) when (e.InnerException is k8s.Autorest.HttpOperationException { Response.StatusCode: HttpStatusCode.NotFound })
        {
            throw new RecordConflictException($"The record {name} was deleted.");
        }

        if (written is null)
        {
            // Either another wrote, or the answer to our own write was lost and this was its repetition.
            written = await calls.RunAsync(Can("get", "configmaps", spec), HttpStatusCode.NotFound,
                t => client.CoreV1.ReadNamespacedConfigMapAsync(name, spec.Namespace, cancellationToken: t), cancellationToken);
            if (written?.Metadata.Uid != _record.Metadata.Uid || !RecordData.Same(written, next))
            {
                throw new RecordConflictException(written is null ? $"The record {name} was deleted." : $"Another supervisor has written the record {name}.");
            }
        }

        _record = written;
    }

    public async Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken)
    {
        var owner = GangObjects.Owner(spec, _record!);
        var pod = PodFactory.Create(spec, request, owner, Choose(spec));
        if (await calls.RunAsync(Can("create", "pods", spec), HttpStatusCode.Conflict,
            t => client.CoreV1.CreateNamespacedPodAsync(pod, spec.Namespace, cancellationToken: t), cancellationToken) is not null) return;

        var there = await calls.RunAsync(Can("get", "pods", spec), HttpStatusCode.NotFound,
            t => client.CoreV1.ReadNamespacedPodAsync(request.Name, spec.Namespace, cancellationToken: t), cancellationToken);
        if (there is not null && GangObjects.IsOwnedBy(there.Metadata, owner)) return;
        if (there is not null && !GangObjects.IsLeftover(there.Metadata, spec))
        {
            throw new RejectedException($"The Pod {request.Name} exists in namespace {spec.Namespace} and belongs to somebody else. Delete it, or give the gang another name.");
        }

        if (there is not null) await DeletePodAsync(spec, request.Name, there.Metadata.Uid, force: false, cancellationToken);
        throw new SupervisorException($"The Pod {request.Name} is left of an older gang '{spec.Name}' and is being deleted; the new one is created when it has gone.");
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

    public async Task MarkNodeAsync(GangSpec spec, string node, bool quarantined, CancellationToken cancellationToken)
    {
        var there = await calls.RunAsync(Permissions.Of("get", "nodes"), HttpStatusCode.NotFound, t => client.CoreV1.ReadNodeAsync(node, cancellationToken: t), cancellationToken);
        var key = NodeMarks.Key(spec);
        var taints = there?.Spec.Taints ?? [];
        if (there is null || taints.Any(t => t.Key == key) == quarantined) return;
        V1Taint[] wanted = quarantined ? [.. taints, new V1Taint { Key = key, Effect = NodeMarks.Effect }] : [.. taints.Where(t => t.Key != key)];
        // The list is replaced as a whole: with the version that it was read in, so that no other's taint is lost.
        var patch = KubernetesJson.Serialize(new { metadata = new { resourceVersion = there.Metadata.ResourceVersion }, spec = new { taints = wanted } });
        await calls.RunAsync(Permissions.Of("patch", "nodes"), HttpStatusCode.NotFound,
            t => client.CoreV1.PatchNodeAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), node, cancellationToken: t), cancellationToken);
    }

    public async Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var how = new V1DeleteOptions { PropagationPolicy = "Background", Preconditions = new V1Preconditions { Uid = _record!.Metadata.Uid } };
        try
        {
            await calls.RunAsync(Can("delete", "configmaps", spec), HttpStatusCode.NotFound,
                t => client.CoreV1.DeleteNamespacedConfigMapAsync(Names.Record(spec), spec.Namespace, how, cancellationToken: t), cancellationToken);
        }
        catch (SupervisorException e) when (e.InnerException is k8s.Autorest.HttpOperationException { Response.StatusCode: HttpStatusCode.Conflict })
        {
            // The next gang of this name is there already: ours is gone.
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Nodes come and go, so it is asked for each Pod, and said when the answer changes.</summary>
    private bool Choose(GangSpec spec)
    {
        var choice = RestartChoice.Make(_refusal, _starved, _watch?.Nodes ?? default, spec);
        var before = Interlocked.Exchange(ref _choice, choice);
        if (choice == before) return choice.UseRule;
        if (!choice.UseRule) Log.NotInPlace(log, spec.Name, choice.Reason!);
        else Log.InPlace(log, spec.Name, choice.Reason ?? "every node declares RestartAllContainersOnContainerExits");
        return choice.UseRule;
    }

    /// <summary>The scheduler knows best: node selectors and tolerations may leave only nodes that lack the feature.</summary>
    private void Notice(PodObservation pod)
    {
        if (pod is { RestartsInPlace: true, Node: null, UnschedulableMessage: { } message } && message.Contains("required features", StringComparison.Ordinal))
        {
            _starved ??= message;
        }
    }

    private static Permission Can(string verb, string resource, GangSpec spec) => Permissions.Of(verb, resource, spec.Namespace);
}
