using System.Collections.Concurrent;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Link;

/// <summary>Beats on one stream, and gives the stream up when the answers stay away.</summary>
internal sealed class Heartbeats(TimeProvider time, Fence fence, Action giveUp)
{
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<long, long> _sent = [];
    private long _lastAck;

    internal void Acked(long sequence)
    {
        Volatile.Write(ref _lastAck, time.GetTimestamp());
        if (_sent.TryRemove(sequence, out var sent))
            fence.Reached(sent);
    }

    internal async Task RunAsync(Welcome welcome, Action<AgentMessage> send, CancellationToken cancellationToken)
    {
        var interval = welcome.HeartbeatMs > 0 ? TimeSpan.FromMilliseconds(Math.Max(10, welcome.HeartbeatMs)) : Usual;
        var patience = TimeSpan.FromMilliseconds(Math.Max(3 * interval.TotalMilliseconds, 2000));
        fence.Arm(TimeSpan.FromMilliseconds(Math.Max(0, welcome.FenceMs)), interval);
        Volatile.Write(ref _lastAck, time.GetTimestamp());
        for (long sequence = 1; ; sequence++)
        {
            if (time.GetElapsedTime(Volatile.Read(ref _lastAck)) > patience)
            {
                Log.Write($"no answer to heartbeats for {patience.TotalSeconds:0.#} s: connecting anew");
                giveUp();
                return;
            }

            _sent[sequence] = time.GetTimestamp();
            send(new AgentMessage { Heartbeat = new Heartbeat { Sequence = sequence } });
            await Task.Delay(interval, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
