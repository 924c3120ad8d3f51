using System.Text;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The Pods of a gang, and the Nodes with their Leases, as inputs of its machine.</summary>
/// <param name="http">The connection.</param>
/// <param name="calls">Translates refusals.</param>
/// <param name="options">Timeouts.</param>
/// <param name="time">The clock.</param>
/// <param name="random">Jitter.</param>
/// <param name="log">Where to say what is missing.</param>
/// <param name="spec">The gang.</param>
/// <param name="ownerUid">The UID of the gang record: Pods of another owner are not of this gang.</param>
internal sealed class GangWatch(
    IKubernetesHttp http, ApiCalls calls, KubernetesOptions options, TimeProvider time, Func<double> random, ILogger log, GangSpec spec, string ownerUid)
{
    /// <summary>
    /// Nodes renew every ten seconds, so that a longer silence means that all of them are gone, as in a cluster of one, or that the watch is: a
    /// new one tells which, long before the bookmark that would.
    /// </summary>
    private static readonly TimeSpan LeaseSilence = TimeSpan.FromSeconds(25);

    private readonly Lock _lock = new();
    private readonly List<(Permission Permission, string Message)> _refused = [];
    private readonly HashSet<string> _awaited = ["nodes", "node leases", .. spec.IsAdopted ? spec.Roles.Select(PodsOf) : ["pods"]];

    /// <summary>Nodes to follow from the start, beside those of the gang's Pods: where an older supervisor saw Pods that may still run.</summary>
    public IReadOnlyCollection<string> AlsoFollow { get; init; } = [];

    /// <summary>Called with each Pod before the machine is told.</summary>
    public Action<PodObservation> OnPod { get; init; } = static _ => { };

    /// <summary>How many nodes can take Pods, and how many of these can restart in place; none before the watch began, or without the right to see them.</summary>
    public (int Able, int All) Nodes => _nodes?.Count() ?? default;

    private NodeView? _nodes;

    public async Task RunAsync(Action<GangInput> sink, CancellationToken cancellationToken)
    {
        using var nodes = new NodeView(sink, time);
        _nodes = nodes;
        foreach (var node in AlsoFollow) nodes.Matters(node);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] pods = [.. Pods(sink).Select(p => RunAsync(p, linked.Token))];
        Task[] watches = [.. pods, RunAsync(NodesOf(sink), linked.Token), RunAsync(Leases(sink), linked.Token)];
        try
        {
            // Nodes and Leases end when they may not be watched; Pods never end by themselves, but may fail.
            await await Task.WhenAny(pods);
            await Task.WhenAll(watches);
        }
        finally
        {
            await linked.CancelAsync();
            foreach (var watch in watches) await ((Task)watch).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task RunAsync<T>(WatchSettings<T> settings, CancellationToken cancellationToken)
        where T : class => new Watcher<T>(http, settings, options, time, random, log).RunAsync(cancellationToken);

    /// <summary>The gang's own Pods have its label; of those that it adopts, each role's are watched by its selector.</summary>
    private IEnumerable<WatchSettings<PodObservation>> Pods(Action<GangInput> sink) => spec.IsAdopted
        ? spec.Roles.Select(r => Pods(PodsOf(r), r.Adopted!.Selector, Adopted(r.Name, Encoding.UTF8.GetBytes(r.Adopted.IndexLabel)), sink))
        : [Pods("pods", $"{Labels.Gang}={spec.Name}", new((pod, name, uid) => PodReader.Read(pod, name, uid, ownerUid)), sink)];

    private static JsonFormat<PodObservation> Adopted(string role, byte[] indexLabel) => new((pod, name, uid) => PodReader.ReadAdopted(pod, name, uid, role, indexLabel));

    private static string PodsOf(RoleSpec role) => $"pods of {role.Name}";

    private WatchSettings<PodObservation> Pods(string what, string selector, JsonFormat<PodObservation> format, Action<GangInput> sink) =>
        new(what, $"api/v1/namespaces/{spec.Namespace}/pods", selector, format)
        {
            Changed = pod =>
            {
                if (pod.Node is { } node) _nodes!.Matters(node);
                OnPod(pod);
                sink(new PodSeen(pod));
            },
            Deleted = (name, uid) => sink(new PodGone(name, uid)),
            Listed = () => Settled(what, sink),
            OnRefused = (verb, e) => throw calls.Translate(Permissions.Of(verb, "pods", spec.Namespace), e.Code, e.Body),
            Same = PodReader.Same,
        };

    private WatchSettings<NodeObservation> NodesOf(Action<GangInput> sink) =>
        new("nodes", "api/v1/nodes", null, new JsonFormat<NodeObservation>((node, name, _) => NodeReader.Read(node, name, _nodes!.Known(name))))
        {
            Changed = _nodes!.Seen,
            Deleted = (name, _) => _nodes!.Gone(name),
            Listed = () => Settled("nodes", sink),
            OnRefused = (verb, e) => Without("nodes", Permissions.Of(verb, "nodes"), e, _nodes!.ForgetNodes, sink),
            Same = NodeReader.Same,
        };

    private WatchSettings<LeaseObservation> Leases(Action<GangInput> sink) =>
        new("node leases", $"apis/coordination.k8s.io/v1/namespaces/{Permissions.NodeLeases}/leases", null,
            new JsonFormat<LeaseObservation>(static (lease, name, _) => LeaseObservation.Read(lease, name)))
        {
            Changed = _nodes!.Renewed,
            Deleted = (name, _) => _nodes!.LeaseGone(name),
            Listed = () => Settled("node leases", sink),
            Fresh = _nodes!.Fresh,
            IdleTimeout = LeaseSilence,
            OnRefused = (verb, e) => Without("node leases", Permissions.Of(verb, "leases", Permissions.NodeLeases), e, _nodes!.ForgetLeases, sink),
            Same = static (a, b) => a == b,
        };

    private bool Without(string what, Permission permission, ApiStatusException e, Action forget, Action<GangInput> sink)
    {
        // Bad credentials are said by the watch of the Pods.
        if (e.Code == System.Net.HttpStatusCode.Unauthorized) return false;
        forget();
        lock (_lock) _refused.Add((permission, calls.Translate(permission, e.Code, e.Body).Message));
        Settled(what, sink);
        return true;
    }

    /// <summary>Listed or refused. When that is said of all three, what is not known is not there; and what is missing is said once.</summary>
    private void Settled(string what, Action<GangInput> sink)
    {
        lock (_lock)
        {
            var first = _awaited.Remove(what);
            if (_awaited.Count > 0) return;
            if (first)
            {
                _nodes!.Flush();
                sink(new CacheSynced());
            }

            if (_refused.Count == 0) return;
            Log.WatchingWithout(log, spec.Name, string.Join(" and ", _refused.Select(r => r.Permission)), string.Join('\n', _refused.Select(r => r.Message)));
            _refused.Clear();
        }
    }
}
