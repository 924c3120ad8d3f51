using System.Text.Json.Nodes;
using System.Threading.Channels;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>
/// Runs one Pod. A single loop owns all its state; exits, probes, timers and changes of the Pod reach it as messages, and
/// after each it does what the state asks for.
/// </summary>
internal sealed partial class PodWorker : IAsyncDisposable
{
    private readonly NodeContext _context;
    private readonly Kubelet _kubelet;
    private readonly Channel<Action> _inbox = Channel.CreateUnbounded<Action>(new() { SingleReader = true });
    private readonly CancellationTokenSource _abort = new();
    private readonly CancellationTokenSource _graceOver;
    private readonly List<ContainerSlot> _init;
    private readonly List<ContainerSlot> _main;
    private readonly PodVolumes _volumes;
    private readonly string _directory;
    private readonly PodStatus _status;
    private readonly ContainerActions _actions;
    private readonly Prober _prober;
    private readonly string _address;
    private JsonObject _pod;
    private ContainerSlot? _restartAll;
    private bool _mounted;
    private bool _unsupported;
    private bool _deadlineOver;
    private string? _evicted;
    private bool _done;

    public PodWorker(NodeContext context, Kubelet kubelet, JsonObject pod)
    {
        _context = context;
        _kubelet = kubelet;
        _pod = pod;
        Uid = pod.Uid()!;
        _graceOver = new(Timeout.InfiniteTimeSpan, context.Time);
        _init = [.. Slots("initContainers", true)];
        _main = [.. Slots("containers", false)];
        _directory = Path.Combine(context.DataDirectory, "pods", Uid);
        _volumes = new(context.Store, context.Images, _directory);
        _address = context.Addresses.Allocate();
        _actions = new(context, _address);
        _prober = new(context, _actions);
        _status = new(pod, _init, _main) { HostAddress = Kubelet.HostAddress, StartTime = Json.Time(context.Time.GetUtcNow()) };
        Resume(pod.At("status"));
        if (_init.Count > 0)
        {
            foreach (var slot in All.Where(s => s.NeedsStart))
            {
                slot.State = ContainerSlot.Waiting("PodInitializing");
            }
        }

        if (pod.At("metadata").Text("deletionTimestamp") is not null)
        {
            ShortenGrace();
        }

        Completion = Task.Run(RunAsync);
    }

    public string Uid { get; }

    public Task Completion { get; }

    public string FirstContainer => _main[0].Name;

    private IEnumerable<ContainerSlot> All => _init.Concat(_main);

    private string Namespace => _pod.Namespace() ?? "default";

    public ContainerSlot? Find(string container) => All.FirstOrDefault(c => c.Name == container);

    public bool Runs(string containerId) => All.Any(c => c.Launch?.Id == containerId);

    public string LogFile(string container) => Path.Combine(_directory, "logs", container + ".log");

    public void Update(JsonObject pod)
    {
        Volatile.Write(ref _pod, pod);
        if (pod.At("metadata").Text("deletionTimestamp") is not null)
        {
            ShortenGrace();
        }

        Post(static () => { });
    }

    /// <summary>A Secret or ConfigMap changed.</summary>
    public void ObjectChanged(ResourceType type, string name)
    {
        if (PodVolumes.RefersTo(_pod, type, name) || All.Any(s => s.State.At("waiting").Text("reason") == "CreateContainerConfigError"))
        {
            Post(() => _mounted = false);
        }
    }

    /// <summary>A new kubelet looks at what the one before left.</summary>
    public void KubeletRestarted() => Post(() =>
        _unsupported |= RestartRules.NeedsFeature(_pod) && !_kubelet.DeclaresRestartAll && !_status.PhaseEnded);

    /// <summary>Kills all processes and says nothing: the Pod is gone, or the node is dead.</summary>
    public void Abort()
    {
        _abort.Cancel();
        foreach (var slot in All)
        {
            slot.Current?.Kill();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Abort();
        await Completion.ConfigureAwait(false);
        _abort.Dispose();
        _graceOver.Dispose();
    }

    private IEnumerable<ContainerSlot> Slots(string list, bool init) =>
        _pod.At("spec").Items(list)?.OfType<JsonObject>().Select(c => new ContainerSlot(c, init)) ?? [];

    private void Post(Action message) => _inbox.Writer.TryWrite(message);

    private void ShortenGrace()
    {
        var seconds = _pod.At("metadata").Number("deletionGracePeriodSeconds") ?? 30;
        _graceOver.CancelAfter(TimeSpan.FromSeconds(seconds));
    }

    private async Task RunAsync()
    {
        try
        {
            if (RestartRules.NeedsFeature(_pod) && !_kubelet.DeclaresRestartAll)
            {
                Reject("PodFeatureUnsupported", $"Pod was rejected: Pod requires node features that are not available: {RestartRules.Feature}");
                return;
            }

            WriteStatus();
            StartLimits();
            while (true)
            {
                await _kubelet.RunningAsync(_abort.Token).ConfigureAwait(false);
                await ReconcileAsync().ConfigureAwait(false);
                if (_done)
                {
                    return;
                }

                (await _inbox.Reader.ReadAsync(_abort.Token).ConfigureAwait(false))();
                while (_inbox.Reader.TryRead(out var message))
                {
                    message();
                }
            }
        }
        catch (OperationCanceledException) when (_abort.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            _context.Errors.Enqueue(e);
        }
        finally
        {
            await CleanUpAsync().ConfigureAwait(false);
        }
    }

    private async Task CleanUpAsync()
    {
        foreach (var slot in All.Where(s => s.Current is not null))
        {
            slot.Current!.Kill();
            await slot.Current.Exited.ConfigureAwait(false);
            EndRun(slot);
        }

        _context.Addresses.Release(_address);
        await Task.WhenAll(_tasks).ConfigureAwait(false);
    }

    /// <summary>The Pod's directory goes with the Pod, not with its end: logs can be read until then.</summary>
    public void DeleteDirectory()
    {
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private void Reject(string reason, string message)
    {
        _done = true;
        _kubelet.TryUpdate(_pod, obj =>
        {
            var status = obj.Ensure("status");
            status["phase"] = "Failed";
            status["reason"] = reason;
            status["message"] = message;
            status["startTime"] = _status.StartTime;
        });
    }

    private void WriteStatus() => _kubelet.TryUpdate(_pod, obj => _status.Write(obj, _context.Time.GetUtcNow()));
}
