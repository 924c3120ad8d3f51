using System.Collections.Concurrent;
using k8s;
using k8s.Authentication;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Kubernetes.Tests.Faults;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

/// <summary>
/// A gang's watch before an embedded cluster, with a wire and a proxy between that can fail. What the watch has told is kept as a level-based
/// reader would keep it, and compared with what the server has.
/// </summary>
internal sealed class WatchRig : IAsyncDisposable
{
    public const string Owner = "11111111-2222-3333-4444-555555555555";

    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<string, PodObservation> _pods = [];
    private readonly Dictionary<string, NodeObservation> _nodes = [];
    private readonly k8s.Kubernetes _client;
    private readonly IKubernetes _admin;
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _watching = Task.CompletedTask;
    private int _serial;

    private WatchRig(EmbeddedCluster cluster, ApiProxy proxy, Wire wire, bool tls, ITokenProvider? token)
    {
        Cluster = cluster;
        Proxy = proxy;
        Wire = wire;
        _admin = cluster.CreateClient();
        var configuration = new KubernetesClientConfiguration
        {
            Host = $"{(tls ? "https" : "http")}://127.0.0.1:{wire.Port}",
            AccessToken = token is null ? "any" : null,
            TokenProvider = token,
        };
        if (proxy.Authority is { } authority) configuration.SslCaCerts = [authority];
        Options = new KubernetesOptions { WatchIdleTimeout = TimeSpan.FromSeconds(2), LeaseDuration = TimeSpan.FromSeconds(5), PageSize = 3 };
        _client = KubernetesConnection.Open(configuration, Options);
    }

    public EmbeddedCluster Cluster { get; private set; }
    public ApiProxy Proxy { get; }
    public Wire Wire { get; }
    public KubernetesOptions Options { get; }

    /// <summary>Everything that was told, in order.</summary>
    public ConcurrentQueue<GangInput> Told { get; } = new();

    public static async Task<WatchRig> StartAsync(bool tls, ITokenProvider? token = null, Action<EmbeddedClusterOptions>? configure = null)
    {
        var cluster = await NewClusterAsync(configure);
        var proxy = await ApiProxy.StartAsync(cluster, tls);
        return new WatchRig(cluster, proxy, new Wire(proxy.Port), tls, token);
    }

    public static Task<EmbeddedCluster> NewClusterAsync(Action<EmbeddedClusterOptions>? configure = null)
    {
        var options = new EmbeddedClusterOptions
        {
            BookmarkInterval = TimeSpan.FromMilliseconds(200), NodeCount = 2, NodeLeaseDuration = TimeSpan.FromSeconds(2),
        };
        configure?.Invoke(options);
        return EmbeddedCluster.StartAsync(options);
    }

    public void Watch()
    {
        var calls = new ApiCalls(Options, _client.BaseUri, TimeProvider.System, () => 0.5);
        var watch = new GangWatch(new KubernetesHttp(_client), calls, Options, TimeProvider.System, () => 0.5, NullLogger.Instance, Fixture.Spec, Owner);
        _watching = watch.RunAsync(Take, _stopping.Token);
    }

    public async Task SyncedAsync() => await _synced.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public async Task<string> CreateAsync(EmbeddedCluster? elsewhere = null)
    {
        var name = $"llm-trainer-{_serial}-1";
        var pod = new V1Pod
        {
            Metadata = new V1ObjectMeta
            {
                Name = name,
                Labels = new Dictionary<string, string>
                {
                    [Labels.Gang] = "llm", [Labels.Role] = "trainer", [Labels.Worker] = $"trainer-{_serial++}", [Labels.Incarnation] = "0",
                },
                // Of a kind that the embedded garbage collector does not know.
                OwnerReferences = [new V1OwnerReference { ApiVersion = "example.com/v1", Kind = "Record", Name = "r", Uid = Owner }],
            },
            Spec = new V1PodSpec { SchedulerName = "nobody", Containers = [new V1Container { Name = "worker", Image = "w" }] },
        };
        using var other = elsewhere?.CreateClient();
        await (other ?? _admin).CoreV1.CreateNamespacedPodAsync(pod, "default");
        return name;
    }

    public Task ChangeAsync(string name) => _admin.CoreV1.PatchNamespacedPodAsync(
        new V1Patch($$"""{"metadata":{"labels":{"{{Labels.Incarnation}}":"{{++_serial}}"} } }""", V1Patch.PatchType.MergePatch), name, "default");

    public Task DeleteAsync(string name) => _admin.CoreV1.DeleteNamespacedPodAsync(name, "default", new V1DeleteOptions { GracePeriodSeconds = 0 });

    /// <summary>Waits until what was told is what is.</summary>
    public async Task CaughtUpAsync(EmbeddedCluster? with = null)
    {
        var limit = DateTime.UtcNow.AddSeconds(40);
        while (true)
        {
            var truth = await TruthAsync(with ?? Cluster);
            var told = Model();
            if (truth == told) return;
            Assert.True(DateTime.UtcNow < limit, $"the server has\n{truth}\nand the watch has told\n{told}");
            await Task.Delay(20);
        }
    }

    /// <summary>Ends the watch, and waits until the server has no stream and then no connection of it.</summary>
    public async Task EndAsync()
    {
        await _stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _watching);
        await UntilAsync(() => Proxy.Streams == 0 && Cluster.Api.OpenWatches == 0, () => $"{Proxy.Streams} streams, {Cluster.Api.OpenWatches} watches");
        _client.Dispose();
        await UntilAsync(() => Wire.Open == 0, () => $"{Wire.Open} connections");
    }

    public static async Task UntilAsync(Func<bool> condition, Func<string>? what = null)
    {
        var limit = DateTime.UtcNow.AddSeconds(30);
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < limit, what?.Invoke() ?? "waited for too long");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client.Dispose();
        _admin.Dispose();
        await Wire.DisposeAsync();
        await Proxy.DisposeAsync();
        await Cluster.DisposeAsync();
        _stopping.Dispose();
    }

    private void Take(GangInput input)
    {
        lock (_pods)
        {
            switch (input)
            {
                case PodSeen seen: _pods[seen.Pod.Name] = seen.Pod; break;
                case PodGone gone: if (_pods.TryGetValue(gone.Name, out var pod) && pod.Uid == gone.Uid) _pods.Remove(gone.Name); break;
                case NodeSeen seen: _nodes[seen.Node.Name] = seen.Node; break;
                case NodeGone gone: _nodes.Remove(gone.Name); break;
                case CacheSynced: _synced.TrySetResult(); break;
                default: break;
            }
        }

        Told.Enqueue(input);
    }

    private string Model()
    {
        lock (_pods)
        {
            return Text(_pods.Values.Select(p => $"{p.Name} {p.Uid} {p.Incarnation}"), _nodes.Values.Select(n => $"{n.Name} {n.Unschedulable}"));
        }
    }

    public static async Task<long> VersionAsync(EmbeddedCluster cluster)
    {
        using var client = cluster.CreateClient();
        return long.Parse((await client.CoreV1.ListNamespacedPodAsync("default")).Metadata.ResourceVersion, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<string> TruthAsync(EmbeddedCluster cluster)
    {
        using var client = cluster.CreateClient();
        var pods = await client.CoreV1.ListNamespacedPodAsync("default", labelSelector: $"{Labels.Gang}=llm");
        var nodes = await client.CoreV1.ListNodeAsync();
        return Text(pods.Items.Select(p => $"{p.Metadata.Name} {p.Metadata.Uid} {p.Metadata.Labels[Labels.Incarnation]}"), nodes.Items.Select(n => $"{n.Metadata.Name} {n.Spec.Unschedulable == true}"));
    }

    private static string Text(IEnumerable<string> pods, IEnumerable<string> nodes) =>
        string.Join('\n', pods.Order(StringComparer.Ordinal).Concat(nodes.Order(StringComparer.Ordinal)));
}
