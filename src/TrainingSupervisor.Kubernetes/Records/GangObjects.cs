using System.Net;
using System.Text;
using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// The objects that every gang has: its record, its Secret and its Service. Each call finds or makes one, and may be repeated. What an older
/// gang of the same name has left is taken over before the garbage collector takes it away; what belongs to somebody else is left alone.
/// </summary>
internal sealed class GangObjects(IKubernetes client, ApiCalls calls)
{
    public async Task<V1ConfigMap> RecordAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        var record = await EnsureAsync("configmaps", spec,
            t => client.CoreV1.ReadNamespacedConfigMapAsync(name, spec.Namespace, cancellationToken: t),
            t => client.CoreV1.CreateNamespacedConfigMapAsync(NewRecord(spec), spec.Namespace, cancellationToken: t), cancellationToken);
        if (!IsLeftover(record.Metadata, spec)) throw Foreign("ConfigMap", name, spec);
        if (record.Metadata.DeletionTimestamp is not null)
        {
            throw new SupervisorException($"The gang '{spec.Name}' in namespace {spec.Namespace} is being deleted. Launch it again when its ConfigMap {name} has gone.");
        }

        return record;
    }

    public async Task<V1Secret> SecretAsync(GangSpec spec, V1OwnerReference owner, string endpoint, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        var secret = await EnsureAsync("secrets", spec,
            t => client.CoreV1.ReadNamespacedSecretAsync(name, spec.Namespace, cancellationToken: t),
            t => client.CoreV1.CreateNamespacedSecretAsync(
                new V1Secret { Metadata = Owned(spec, owner, name), Data = GangSecret.Create(spec, endpoint, now) }, spec.Namespace, cancellationToken: t), cancellationToken);
        if (!IsOwnedBy(secret.Metadata, owner))
        {
            if (!IsLeftover(secret.Metadata, spec)) throw Foreign("Secret", name, spec);
            // New credentials: the older gang's agents know the old ones.
            secret.Metadata.OwnerReferences = [owner];
            secret.Data = GangSecret.Create(spec, endpoint, now);
        }
        else if (secret.Data?.TryGetValue(GangSecret.Endpoint, out var known) == true && Encoding.ASCII.GetString(known) == endpoint)
        {
            return secret;
        }
        else
        {
            // Agents read the file anew at each attempt to connect: so they find a supervisor that has moved.
            secret.Data = new Dictionary<string, byte[]>(secret.Data ?? new Dictionary<string, byte[]>()) { [GangSecret.Endpoint] = Encoding.ASCII.GetBytes(endpoint) };
        }

        return await calls.RunAsync(Can("update", "secrets", spec), t => client.CoreV1.ReplaceNamespacedSecretAsync(secret, name, spec.Namespace, cancellationToken: t), cancellationToken);
    }

    public async Task ServiceAsync(GangSpec spec, V1OwnerReference owner, CancellationToken cancellationToken)
    {
        if (await calls.RunAsync(Can("create", "services", spec), HttpStatusCode.Conflict,
            t => client.CoreV1.CreateNamespacedServiceAsync(NewService(spec, owner), spec.Namespace, cancellationToken: t), cancellationToken) is not null) return;
        var service = await calls.RunAsync(Can("get", "services", spec), t => client.CoreV1.ReadNamespacedServiceAsync(spec.Name, spec.Namespace, cancellationToken: t), cancellationToken);
        if (IsOwnedBy(service.Metadata, owner)) return;
        if (!IsLeftover(service.Metadata, spec)) throw Foreign("Service", spec.Name, spec);
        service.Metadata.OwnerReferences = [owner];
        await calls.RunAsync(Can("update", "services", spec), t => client.CoreV1.ReplaceNamespacedServiceAsync(service, spec.Name, spec.Namespace, cancellationToken: t), cancellationToken);
    }

    public static V1OwnerReference Owner(GangSpec spec, V1ConfigMap record) => new()
    {
        ApiVersion = "v1",
        Kind = "ConfigMap",
        Name = Names.Record(spec),
        Uid = record.Metadata.Uid,
        Controller = true,
        BlockOwnerDeletion = false,
    };

    public static bool IsOwnedBy(V1ObjectMeta meta, V1OwnerReference owner) => meta.OwnerReferences?.Any(o => o.Uid == owner.Uid) == true;

    /// <summary>It has the mark of a gang of this name, this one or an older.</summary>
    public static bool IsLeftover(V1ObjectMeta meta, GangSpec spec) => meta.Labels?.TryGetValue(Labels.Gang, out var gang) == true && gang == spec.Name;

    /// <summary>Reads it, or creates it; a creation that conflicts was another's, or our own whose answer was lost.</summary>
    private async Task<T> EnsureAsync<T>(string resource, GangSpec spec, Func<CancellationToken, Task<T>> read, Func<CancellationToken, Task<T>> create, CancellationToken cancellationToken)
        where T : class =>
        await calls.RunAsync(Can("get", resource, spec), HttpStatusCode.NotFound, read, cancellationToken)
        ?? await calls.RunAsync(Can("create", resource, spec), HttpStatusCode.Conflict, create, cancellationToken)
        ?? await calls.RunAsync(Can("get", resource, spec), read, cancellationToken);

    private static V1ConfigMap NewRecord(GangSpec spec)
    {
        var map = new V1ConfigMap
        {
            Metadata = new V1ObjectMeta
            {
                Name = Names.Record(spec),
                NamespaceProperty = spec.Namespace,
                Labels = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
            },
        };
        RecordData.Write(map, new GangRecord { Phase = GangPhase.Pending });
        return map;
    }

    private static V1Service NewService(GangSpec spec, V1OwnerReference owner) => new()
    {
        Metadata = Owned(spec, owner, spec.Name),
        Spec = new V1ServiceSpec
        {
            ClusterIP = "None",
            PublishNotReadyAddresses = true,
            Selector = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
        },
    };

    private static V1ObjectMeta Owned(GangSpec spec, V1OwnerReference owner, string name) => new()
    {
        Name = name,
        NamespaceProperty = spec.Namespace,
        Labels = new Dictionary<string, string> { [Labels.Gang] = spec.Name },
        OwnerReferences = [owner],
    };

    private static RejectedException Foreign(string kind, string name, GangSpec spec) =>
        new($"The {kind} {name} exists in namespace {spec.Namespace} and does not belong to a gang '{spec.Name}'. Delete it, or give the gang another name.");

    private static Permission Can(string verb, string resource, GangSpec spec) => Permissions.Of(verb, resource, spec.Namespace);
}
