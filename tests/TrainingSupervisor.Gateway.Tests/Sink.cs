using System.Collections.Concurrent;
using System.Threading.Channels;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>What the gateway tells a gang's machine.</summary>
internal sealed class Sink
{
    private readonly Channel<GangInput> _inputs = Channel.CreateUnbounded<GangInput>();
    private readonly ConcurrentQueue<GangInput> _all = new();

    public IReadOnlyCollection<GangInput> All => _all;

    public void Post(GangInput input)
    {
        _all.Enqueue(input);
        _inputs.Writer.TryWrite(input);
    }

    /// <summary>The next input of this kind that fits; others before it are passed over.</summary>
    public async Task<T> NextAsync<T>(Func<T, bool>? fits = null) where T : GangInput
    {
        using var limit = new CancellationTokenSource(Limits.Wait);
        while (true)
        {
            if (await _inputs.Reader.ReadAsync(limit.Token) is T input && fits?.Invoke(input) != false) return input;
        }
    }
}
