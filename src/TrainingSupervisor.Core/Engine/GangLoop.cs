using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Threading.Channels;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Engine;

/// <summary>
/// Owns one gang's state for one term of leadership: inputs arrive through a channel, one step at a time turns them into effects, and what
/// became of an effect comes back as an input. In a large gang, what can wait is gathered for a moment: see <see cref="Pace"/>.
/// </summary>
internal sealed class GangLoop : IAsyncDisposable
{
    private const int LargestBatch = 4096;

    private static readonly TimeSpan FirstSaveWait = TimeSpan.FromSeconds(1), LongestSaveWait = TimeSpan.FromSeconds(15);

    private readonly IGangCluster _cluster;
    private readonly TimeProvider _time;
    private readonly Action<GangEvent> _publish;
    private readonly Channel<GangInput> _inputs = Channel.CreateUnbounded<GangInput>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Holds one item when an input has come that cannot wait.</summary>
    private readonly Channel<bool> _urgent = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Channel<SaveRecord> _saves = Channel.CreateUnbounded<SaveRecord>();
    private readonly ConcurrentDictionary<Task, byte> _calls = new();
    private readonly CancellationTokenSource _stopping = new();
    private IGangAgents? _agents;
    private volatile bool _closed;
    private volatile GangState _state;

    public GangLoop(GangState state, IGangCluster cluster, TimeProvider time, Action<GangEvent> publish)
    {
        _state = state;
        _cluster = cluster;
        _time = time;
        _publish = publish;
    }

    public GangState State => _state;

    /// <summary>Thread-safe; never blocks.</summary>
    public void Post(GangInput input)
    {
        _inputs.Writer.TryWrite(input);
        if (!input.CanWait) _urgent.Writer.TryWrite(true);
    }

    /// <summary>Posts it, unless nobody reads it any more: see <see cref="Close"/>.</summary>
    public bool TryPost(GangInput input)
    {
        if (_closed) return false;
        Post(input);
        return true;
    }

    /// <summary>The gang is over, or is not led here any more.</summary>
    public void Close() => _closed = true;

    /// <summary>Runs until the gang is over, or the token says that this supervisor does not lead it any more.</summary>
    /// <exception cref="RecordConflictException">Another supervisor has written the record.</exception>
    public async Task RunAsync(IGangAgents agents, CancellationToken cancellationToken)
    {
        _agents = agents;
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        var token = linked.Token;
        var watch = _cluster.WatchAsync(_state.Spec, Post, token);
        var saving = SaveAsync(token);
        var stepping = StepAsync(token);
        try
        {
            await await Task.WhenAny(stepping, saving, watch);
        }
        finally
        {
            Close();
            await linked.CancelAsync();
            await Task.WhenAll(new[] { watch, saving, stepping }.Select(Settled));
            // The last step may have begun some.
            await Task.WhenAll(_calls.Keys.Select(Settled));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _stopping.Dispose();
    }

    private static async Task Settled(Task task)
    {
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        var batch = new List<GangInput> { new Tick() };
        while (true)
        {
            var started = _time.GetTimestamp();
            var result = GangMachine.Step(_state, batch, _time.GetUtcNow());
            _state = result.State;
            foreach (var effect in result.Effects) Do(effect, cancellationToken);
            if (_state.Stage == Stage.Ended && _calls.IsEmpty) return;
            // What is left behind by a full batch may be what cannot wait.
            var pause = batch.Count < LargestBatch ? Pace.After(_time.GetElapsedTime(started)) : TimeSpan.Zero;
            batch.Clear();
            if (pause > TimeSpan.Zero) await NextAsync(_urgent.Reader, Earlier(_time.GetUtcNow() + pause, result.NextWake), cancellationToken);
            await NextAsync(_inputs.Reader, result.NextWake, cancellationToken);
            // Before the inputs: one that comes in between is read now, and wakes us once for nothing.
            _urgent.Reader.TryRead(out _);
            while (batch.Count < LargestBatch && _inputs.Reader.TryRead(out var input)) batch.Add(input);
            if (batch.Count == 0) batch.Add(new Tick());
        }
    }

    private static DateTimeOffset Earlier(DateTimeOffset moment, DateTimeOffset? other) => other < moment ? other.Value : moment;

    /// <summary>Waits until there is something to read, or for this moment.</summary>
    private async Task NextAsync<T>(ChannelReader<T> reader, DateTimeOffset? wake, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var input = reader.WaitToReadAsync(over.Token).AsTask();
        if (wake is null)
        {
            await input;
            return;
        }

        var delay = wake.Value - _time.GetUtcNow();
        if (!input.IsCompleted && delay > TimeSpan.Zero) await Task.WhenAny(input, Task.Delay(delay + TimeSpan.FromMilliseconds(1), _time, over.Token));
        await over.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    private void Do(GangEffect effect, CancellationToken cancellationToken)
    {
        switch (effect)
        {
            case Publish publish: _publish(publish.Event); break;
            case RestartWorker restart: _agents!.Restart(restart); break;
            case ReleaseGang release:
                _agents!.Release(release);
                Post(new ReleaseSent(release.Attempt));
                break;
            case TellRoster tell: _agents!.Tell(tell); break;
            case QuiesceWorker quiesce: _agents!.Quiesce(quiesce); break;
            case HaltAgent halt: _agents!.Halt(halt); break;
            case RunCommand run: _agents!.Run(run); break;
            case SaveRecord save: _saves.Writer.TryWrite(save); break;
            case CreatePod create: Call(create, _cluster.CreatePodAsync(_state.Spec, create.Request, cancellationToken), cancellationToken); break;
            case DeletePod delete: Call(delete, _cluster.DeletePodAsync(_state.Spec, delete.Name, delete.Uid, delete.Force, cancellationToken), cancellationToken); break;
            case MarkNode mark: Call(mark, _cluster.MarkNodeAsync(_state.Spec, mark.Node, mark.Quarantined, cancellationToken), cancellationToken); break;
            case DeleteGang delete: Call(delete, _cluster.DeleteGangAsync(_state.Spec, cancellationToken), cancellationToken); break;
            default: throw new InvalidOperationException($"No one knows how to do {effect.GetType().Name}.");
        }
    }

    private void Call(GangEffect effect, Task call, CancellationToken cancellationToken)
    {
        var watched = WatchCallAsync(effect, call, cancellationToken);
        _calls.TryAdd(watched, 0);
        _ = watched.ContinueWith(
            t =>
            {
                _calls.TryRemove(t, out _);
                Post(new Tick());
            },
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task WatchCallAsync(GangEffect effect, Task call, CancellationToken cancellationToken)
    {
        try
        {
            await call;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // We stop; who leads next does it again.
        }
        catch (Exception e)
        {
            // The edge of the loop: whatever it was, the machine says it and tries again.
            Post(new EffectFailed(effect, e.Message, e is RejectedException));
        }
    }

    /// <summary>One write at a time, in order; of several that wait, only the last is written.</summary>
    private async Task SaveAsync(CancellationToken cancellationToken)
    {
        await foreach (var first in _saves.Reader.ReadAllAsync(cancellationToken))
        {
            var save = first;
            for (var wait = FirstSaveWait; ; wait = wait * 2 < LongestSaveWait ? wait * 2 : LongestSaveWait)
            {
                while (_saves.Reader.TryRead(out var later)) save = later;
                try
                {
                    await _cluster.SaveRecordAsync(_state.Spec, save.Record, cancellationToken);
                    break;
                }
                catch (SupervisorException e) when (e is not RecordConflictException)
                {
                    Post(new EffectFailed(save, e.Message, Fatal: false));
                    await Task.Delay(wait, _time, cancellationToken);
                }
            }

            Post(new RecordSaved(save.Sequence));
        }
    }
}
