using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The Pods of a gang, and the Nodes with their Leases, as inputs of its machine.</summary>
internal sealed class GangWatch(IKubernetesHttp http, ApiCalls calls, KubernetesOptions options, TimeProvider time, Func<double> random, ILogger log)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, NodeObservation> _nodes = [];
    private readonly Dictionary<string, (LeaseObservation Lease, DateTimeOffset Seen)> _leases = [];
    private int _missing = 3;

    public async Task RunAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken)
    {
        void Listed()
        {
            if (Interlocked.Decrement(ref _missing) == 0) sink(new CacheSynced());
        }

        var pods = new Permission("list", "pods", spec.Namespace);
        var nodes = new Permission("list", "nodes", "", ClusterWide: true);
        var leases = new Permission("list", "leases", "kube-node-lease", "coordination.k8s.io");
        await Task.WhenAll(
            Watch(new WatchSettings<PodObservation>("pods", $"api/v1/namespaces/{spec.Namespace}/pods", $"{Labels.Gang}={spec.Name}", ObjectReaders.Pod)
            {
                Changed = pod => sink(new PodSeen(pod)),
                Deleted = (name, uid) => sink(new PodGone(name, uid)),
                Listed = Once(Listed),
                OnRefused = e => throw calls.Translate(pods, e.Code, e.Body),
                Same = static (a, b) => a with { Containers = b.Containers } == b && a.Containers.SequenceEqual(b.Containers),
            }),
            Watch(new WatchSettings<NodeObservation>("nodes", "api/v1/nodes", null, ObjectReaders.Node)
            {
                Changed = node => Node(node, sink),
                Deleted = (name, _) => NodeGone(name, sink),
                Listed = Once(Listed),
                OnRefused = e => Without(nodes, e, Listed),
                Same = static (a, b) => a with { Taints = b.Taints } == b && a.Taints.SequenceEqual(b.Taints),
            }),
            Watch(new WatchSettings<LeaseObservation>("node leases", "apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", null, ObjectReaders.Lease)
            {
                Changed = lease => Lease(lease, sink),
                Deleted = static (_, _) => { },
                Listed = Once(Listed),
                OnRefused = e => Without(leases, e, Listed),
                Same = static (a, b) => a == b,
            }));

        Task Watch<T>(WatchSettings<T> settings)
            where T : notnull => new Watcher<T>(http, settings, options, time, random, log).RunAsync(cancellationToken);
    }

    private static Action Once(Action action)
    {
        var done = 0;
        return () =>
        {
            if (Interlocked.Exchange(ref done, 1) == 0) action();
        };
    }

    private bool Without(Permission permission, ApiStatusException e, Action listed)
    {
        Log.WatchingWithout(log, permission.Resource, calls.Translate(permission, e.Code, e.Body).Message);
        listed();
        return true;
    }

    private void Node(NodeObservation node, Action<GangInput> sink)
    {
        lock (_lock)
        {
            _nodes[node.Name] = node;
            sink(new NodeSeen(Merge(node)));
        }
    }

    private void Lease(LeaseObservation lease, Action<GangInput> sink)
    {
        lock (_lock)
        {
            _leases[lease.Name] = (lease, time.GetUtcNow());
            if (_nodes.TryGetValue(lease.Name, out var node)) sink(new NodeSeen(Merge(node)));
            sink(new LeaseViewSeen(time.GetUtcNow()));
        }
    }

    private void NodeGone(string name, Action<GangInput> sink)
    {
        lock (_lock) _nodes.Remove(name);
        sink(new NodeGone(name));
    }

    private NodeObservation Merge(NodeObservation node) =>
        _leases.TryGetValue(node.Name, out var lease) ? node with { LeaseSeen = lease.Seen, LeaseDuration = lease.Lease.Duration } : node;
}
