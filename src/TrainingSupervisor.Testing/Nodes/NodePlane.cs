using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Scheduling;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>All that acts on Pods below the API: kubelets, the scheduler and the controller that notices dead nodes.</summary>
internal sealed class NodePlane : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, Kubelet> _kubelets = [];
    private readonly List<Task> _loops = [];
    private readonly IContainerRuntime _runtime;

    public NodePlane(ObjectStore store, TimeProvider time, KubeletOptions options, string dataDirectory, TimeSpan leaseDuration, Func<Uri?> apiServer)
    {
        dataDirectory = Path.GetFullPath(dataDirectory);
        Directory.CreateDirectory(dataDirectory);
        _runtime = options.SimulateContainers ? new SimulatedRuntime() : new ProcessRuntime(dataDirectory, options.IgnoreUnhandledSignals);
        Context = new(store, time, _runtime, options, dataDirectory, leaseDuration, apiServer);
    }

    public NodeContext Context { get; }

    public IReadOnlyCollection<Kubelet> Kubelets => [.. _kubelets.Values.OrderBy(k => k.Name, StringComparer.Ordinal)];

    public void Start()
    {
        // Subscriptions come before the loops, so that no change falls between.
        _loops.Add(Guard(new Scheduler(Context).RunAsync(_stop.Token)));
        _loops.Add(Guard(new NodeLifecycle(Context).RunAsync(_stop.Token)));
        _loops.Add(Guard(DispatchPodsAsync(Context.Store.WatchAsync(ResourceType.Pods, Context.Store.ResourceVersion, _stop.Token))));
        foreach (var type in (ReadOnlySpan<ResourceType>)[ResourceType.Secrets, ResourceType.ConfigMaps])
        {
            _loops.Add(Guard(DispatchObjectsAsync(type, Context.Store.WatchAsync(type, Context.Store.ResourceVersion, _stop.Token))));
        }
    }

    public Kubelet AddNode(string name, NodeOptions? options = null)
    {
        var kubelet = new Kubelet(Context, name, options ?? new());
        if (!_kubelets.TryAdd(name, kubelet))
        {
            throw new ArgumentException($"There is a node {name} already.", nameof(name));
        }

        kubelet.Start();
        return kubelet;
    }

    public Kubelet Node(string name) => _kubelets.TryGetValue(name, out var kubelet)
        ? kubelet
        : throw new KeyNotFoundException($"There is no node {name}.");

    public Kubelet? NodeOf(string containerId) => _kubelets.Values.FirstOrDefault(k => k.Runs(containerId));

    public ContainerSlot Container(string ns, string pod, string container) =>
        Worker(ns, pod).Find(container) ?? throw new KeyNotFoundException($"Pod {ns}/{pod} has no container {container}.");

    public PodWorker Worker(string ns, string pod) =>
        _kubelets.Values.Select(k => k.Find(ns, pod)).FirstOrDefault(w => w is not null)
        ?? throw new KeyNotFoundException($"Pod {ns}/{pod} is on no node.");

    /// <summary>Starts a command beside a container.</summary>
    /// <exception cref="ApiError">500: the node cannot be reached, or the container does not run.</exception>
    /// <exception cref="ContainerStartException">There is no such program.</exception>
    public IAttachedCommand Exec(string ns, string pod, string container, IReadOnlyList<string> command)
    {
        var node = Context.Store.Get(ResourceType.Pods, ns, pod).At("spec").Text("nodeName") ?? "";
        if (!_kubelets.TryGetValue(node, out var kubelet) || !kubelet.IsConnected)
        {
            throw ApiError.Of(500, "InternalError", $"error dialing backend: dial tcp: lookup {node}: no route to host");
        }

        return kubelet.Find(ns, pod) is { } worker
            ? worker.Exec(container, command)
            : throw ApiError.Of(500, "InternalError", $"unable to upgrade connection: pod does not exist");
    }

    public void Evict(string ns, string pod)
    {
        Context.Store.Update(ResourceType.Pods, ns, pod, obj => Disruption.Mark(
            obj, "EvictionByEvictionAPI", "Eviction API: evicting", Context.Time.GetUtcNow()));
        Context.Store.Delete(ResourceType.Pods, ns, pod);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_loops).ConfigureAwait(false);
        await Task.WhenAll(_kubelets.Values.Select(k => k.DisposeAsync().AsTask())).ConfigureAwait(false);
        await _runtime.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task Guard(Task loop)
    {
        try
        {
            await loop.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            Context.Errors.Enqueue(e);
        }
    }

    private async Task DispatchPodsAsync(IAsyncEnumerable<StoreEvent> events)
    {
        await foreach (var change in events.ConfigureAwait(false))
        {
            if (change.Object.At("spec").Text("nodeName") is { Length: > 0 } node && _kubelets.TryGetValue(node, out var kubelet))
            {
                if (change.Type == WatchType.Deleted)
                {
                    kubelet.PodGone(change.Object.Uid()!);
                }
                else if (!IsStatusOnly(change))
                {
                    kubelet.PodChanged(change.Object);
                }
            }
        }
    }

    // The kubelet's own writes come back as changes; they are no news to it.
    private static bool IsStatusOnly(StoreEvent change) =>
        change.Previous is { } previous
        && previous.At("spec").Text("nodeName") is not null
        && JsonNode.DeepEquals(previous["spec"], change.Object["spec"])
        && previous.At("metadata").Text("deletionTimestamp") == change.Object.At("metadata").Text("deletionTimestamp")
        && JsonNode.DeepEquals(previous.At("metadata")?["labels"], change.Object.At("metadata")?["labels"])
        && JsonNode.DeepEquals(previous.At("metadata")?["annotations"], change.Object.At("metadata")?["annotations"]);

    private async Task DispatchObjectsAsync(ResourceType type, IAsyncEnumerable<StoreEvent> events)
    {
        await foreach (var change in events.ConfigureAwait(false))
        {
            foreach (var kubelet in _kubelets.Values)
            {
                kubelet.ObjectChanged(type, change.Object.Name());
            }
        }
    }
}
