using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>The Pods of one node, and the node's link to the API server.</summary>
internal sealed class Kubelet : IAsyncDisposable
{
    public const string HostAddress = "127.0.0.1";

    private readonly NodeContext _context;
    private readonly NodeRegistration _registration;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, PodWorker> _workers = [];
    private readonly List<Task> _ending = [];
    private TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _dead;

    public Kubelet(NodeContext context, string name, NodeOptions options)
    {
        _context = context;
        Name = name;
        DeclaresRestartAll = options.DeclareRestartAllContainers;
        Epoch = context.Time.GetUtcNow();
        _registration = new(context, name, options);
        _connected.SetResult();
        _running.SetResult();
    }

    public string Name { get; }

    public DateTimeOffset Epoch { get; }

    public bool DeclaresRestartAll { get; set; }

    public bool IsConnected => !_dead && _connected.Task.IsCompleted;

    /// <summary>Closed while nothing from outside reaches this node.</summary>
    public Gate Network { get; } = new();

    public void Start()
    {
        _registration.Register();
        _registration.StartLease();
        Resync();
    }

    public Task ConnectedAsync(CancellationToken cancellationToken) => _connected.Task.WaitAsync(cancellationToken);

    /// <summary>Completes when the kubelet's process is there.</summary>
    public Task RunningAsync(CancellationToken cancellationToken) => _running.Task.WaitAsync(cancellationToken);

    public bool Runs(string containerId) => Workers().Any(w => w.Runs(containerId));

    public PodWorker? Find(string ns, string pod) =>
        _context.Store.Get(ResourceType.Pods, ns, pod)?.Uid() is { } uid ? Workers().FirstOrDefault(w => w.Uid == uid) : null;

    public void PodChanged(JsonObject pod)
    {
        lock (_gate)
        {
            if (!IsConnected)
            {
                return;
            }

            if (_workers.TryGetValue(pod.Uid()!, out var worker))
            {
                worker.Update(pod);
            }
            else
            {
                _workers.Add(pod.Uid()!, new(_context, this, pod));
            }
        }
    }

    public void PodGone(string uid)
    {
        lock (_gate)
        {
            if (IsConnected && _workers.Remove(uid, out var worker))
            {
                worker.Abort();
                _ending.RemoveAll(t => t.IsCompleted);
                _ending.Add(DiscardAsync(worker));
            }
        }
    }

    public void ObjectChanged(ResourceType type, string name)
    {
        foreach (var worker in IsConnected ? Workers() : [])
        {
            worker.ObjectChanged(type, name);
        }
    }

    /// <summary>Changes a Pod unless it is gone, another one by now, or out of reach.</summary>
    public void TryUpdate(JsonObject pod, Action<JsonObject> change)
    {
        if (!IsConnected)
        {
            return;
        }

        try
        {
            _context.Store.Update(ResourceType.Pods, pod.Namespace() ?? "default", pod.Name(), obj =>
            {
                if (obj.Uid() == pod.Uid())
                {
                    change(obj);
                }

                return obj;
            });
        }
        catch (ApiError e) when (e.Code == 404)
        {
            // A forced deletion; the news of it is on its way here.
        }
    }

    public async Task DisconnectAsync()
    {
        await _registration.StopLeaseAsync().ConfigureAwait(false);
        lock (_gate)
        {
            if (_connected.Task.IsCompleted)
            {
                _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Cuts the node off, its kubelet and its Pods.</summary>
    public Task PartitionAsync()
    {
        Network.Close();
        return DisconnectAsync();
    }

    /// <summary>The node's network, or the node, is back.</summary>
    public void Heal()
    {
        Network.Open();
        if (_running.Task.IsCompleted)
        {
            Connect();
        }
    }

    private void Connect()
    {
        lock (_gate)
        {
            _dead = false;
            _connected.TrySetResult();
        }

        _registration.MarkReady();
        _registration.StartLease();
        Resync();
    }

    /// <summary>The kubelet's process is killed; containers live on, and nobody looks after them.</summary>
    public async Task StopProcessAsync()
    {
        lock (_gate)
        {
            if (_running.Task.IsCompleted)
            {
                _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        await DisconnectAsync().ConfigureAwait(false);
    }

    /// <summary>A new process, perhaps with the gate set otherwise, takes over what it finds.</summary>
    public void StartProcess(bool declaresRestartAll)
    {
        DeclaresRestartAll = declaresRestartAll;
        _registration.Declare(declaresRestartAll);
        lock (_gate)
        {
            _running.TrySetResult();
        }

        if (Network.IsOpen)
        {
            Connect();
        }

        foreach (var worker in Workers())
        {
            worker.KubeletRestarted();
        }
    }

    /// <summary>The machine dies: nothing runs any more, and nothing is said about it.</summary>
    public async Task DieAsync()
    {
        // Before its processes die: the others must not see their connections end.
        Network.Close();
        PodWorker[] workers;
        await DisconnectAsync().ConfigureAwait(false);
        lock (_gate)
        {
            _running.TrySetResult();
            _dead = true;
            workers = [.. _workers.Values];
            _workers.Clear();
        }

        foreach (var worker in workers)
        {
            worker.Abort();
        }

        foreach (var worker in workers)
        {
            await worker.DisposeAsync().ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await DieAsync().ConfigureAwait(false);
        await Task.WhenAll(_ending).ConfigureAwait(false);
        await _registration.DisposeAsync().ConfigureAwait(false);
    }

    private void Resync()
    {
        // In this order: a Pod that is bound while we look is in neither, and its own event brings it.
        var known = Workers().Select(w => w.Uid).ToArray();
        var pods = _context.Store.List(ResourceType.Pods).Items.Where(p => p.At("spec").Text("nodeName") == Name).ToArray();
        foreach (var gone in known.Except(pods.Select(p => p.Uid()!)))
        {
            PodGone(gone);
        }

        foreach (var pod in pods)
        {
            PodChanged(pod);
        }
    }

    private PodWorker[] Workers()
    {
        lock (_gate)
        {
            return [.. _workers.Values];
        }
    }

    private static async Task DiscardAsync(PodWorker worker)
    {
        await worker.DisposeAsync().ConfigureAwait(false);
        worker.DeleteDirectory();
    }
}
