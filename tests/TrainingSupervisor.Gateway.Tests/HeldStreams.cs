using System.Threading.Channels;
using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>Takes nothing until it is let go.</summary>
internal sealed class HeldWriter : IServerStreamWriter<SupervisorMessage>
{
    public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<SupervisorMessage.KindOneofCase> Written { get; } = [];

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(SupervisorMessage message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(SupervisorMessage message, CancellationToken cancellationToken)
    {
        await Go.Task.WaitAsync(cancellationToken);
        Written.Add(message.KindCase);
    }
}

/// <summary>Messages that have arrived already when their stream is cancelled: they are handed out all the same.</summary>
internal sealed class LateReader : IAsyncStreamReader<AgentMessage>
{
    private readonly Channel<AgentMessage> _messages = Channel.CreateUnbounded<AgentMessage>();
    private int _asked;

    public AgentMessage Current { get; private set; } = new();

    /// <summary>How often the next one was asked for: all before that have been dealt with.</summary>
    public int Asked => Volatile.Read(ref _asked);

    public void Say(AgentMessage message) => _messages.Writer.TryWrite(message);

    public void End() => _messages.Writer.TryComplete();

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _asked);
        if (!await _messages.Reader.WaitToReadAsync(CancellationToken.None)) return false;
        Current = await _messages.Reader.ReadAsync(CancellationToken.None);
        return true;
    }
}
