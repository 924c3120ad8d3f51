using System.Threading.Channels;
using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>One agent's stream. What is to be said waits in a bounded queue, so that a slow agent delays nobody.</summary>
internal sealed class AgentConnection(Hello hello, DateTimeOffset now, CancellationTokenSource closing) : IDisposable
{
    private const int MostWaiting = 256;

    private readonly Channel<SupervisorMessage> _outgoing = Channel.CreateBounded<SupervisorMessage>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private bool _closed;

    public Hello Hello { get; } = hello;
    public DateTimeOffset LastSign { get; set; } = now;

    public void Send(SupervisorMessage message)
    {
        if (!_outgoing.Writer.TryWrite(message)) Close();
    }

    public void Close()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
            _outgoing.Writer.TryComplete();
            closing.Cancel();
        }
    }

    /// <summary>No more is said; returns when all that waited has been, or after the patience.</summary>
    public async Task DrainAsync(TimeSpan patience)
    {
        _outgoing.Writer.TryComplete();
        await Task.WhenAny(_drained.Task, Task.Delay(patience));
    }

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
    }
}
