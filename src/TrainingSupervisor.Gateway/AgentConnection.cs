using System.Threading.Channels;
using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>One agent's stream. What is to be said waits in a bounded queue, so that a slow agent delays nobody.</summary>
internal sealed class AgentConnection(Hello hello, TimeProvider time, CancellationTokenSource closing) : IDisposable
{
    internal const int MostWaiting = 256;

    private readonly Channel<SupervisorMessage> _outgoing = Channel.CreateBounded<SupervisorMessage>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private long _heard = time.GetTimestamp();
    private long _lastSign = time.GetUtcNow().UtcTicks;
    private bool _draining;
    private bool _closed;

    public Hello Hello { get; } = hello;
    public ClockOffset Clock { get; } = new();

    /// <summary>Closed by us and not because all was said: what still waits is not worth sending.</summary>
    public bool Broken => _closed;

    /// <summary>When the last message came, by the monotonic clock.</summary>
    public long Heard => Volatile.Read(ref _heard);

    /// <summary>The same by the wall clock.</summary>
    public DateTimeOffset LastSign => new(Volatile.Read(ref _lastSign), TimeSpan.Zero);

    public void NoteSign()
    {
        Volatile.Write(ref _heard, time.GetTimestamp());
        Volatile.Write(ref _lastSign, time.GetUtcNow().UtcTicks);
    }

    /// <summary>False if the agent reads too slowly: the caller says so and closes the stream.</summary>
    public bool TrySend(SupervisorMessage message)
    {
        lock (_lock) return _draining || _closed || _outgoing.Writer.TryWrite(message);
    }

    public void Close()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
            _outgoing.Writer.TryComplete();
            // Not on this thread: it may be the gang's loop, and what waits for the token runs along.
            _ = closing.CancelAsync();
        }
    }

    /// <summary>No more is said; returns when all that waited has been, or after the patience.</summary>
    public async Task DrainAsync(TimeSpan patience)
    {
        lock (_lock)
        {
            _draining = true;
            _outgoing.Writer.TryComplete();
        }

        await _drained.Task.WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Returns when the stream is over and nothing more is reported of it, or after the patience.</summary>
    public async Task EndedAsync(TimeSpan patience) => await _ended.Task.WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public async Task PumpAsync(IServerStreamWriter<SupervisorMessage> writer, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var message in _outgoing.Reader.ReadAllAsync(cancellationToken)) await writer.WriteAsync(message, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The reading side sees the same end and reports it.
        }
        finally
        {
            _drained.TrySetResult();
        }
    }

    public void Dispose()
    {
        lock (_lock) _closed = true;
        _ended.TrySetResult();
    }
}
