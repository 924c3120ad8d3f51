using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace LocalTraining.Trainer;

/// <summary>
/// A ring of TCP connections between the workers. All-reduce in two rounds (reduce-scatter, all-gather); each chunk is summed in ring order,
/// so the sum does not depend on who is fast.
/// </summary>
internal sealed class Ring(int rank, int size, Socket? next, Socket? previous) : IDisposable
{
    private byte[] _outgoing = [];

    /// <summary>Replaces the values by their sum over all ranks: the same bits on every rank.</summary>
    public void AllReduce(float[] values)
    {
        if (size == 1) return;
        var chunk = (values.Length + size - 1) / size;
        var received = new float[chunk];
        Span<float> Chunk(int index)
        {
            var start = Math.Min(Wrap(index) * chunk, values.Length);
            return values.AsSpan(start, Math.Min(chunk, values.Length - start));
        }

        for (var round = 0; round < size - 1; round++)
        {
            var mine = Chunk(rank - round - 1);
            Exchange(MemoryMarshal.AsBytes(Chunk(rank - round)), MemoryMarshal.AsBytes(received.AsSpan(0, mine.Length)));
            for (var i = 0; i < mine.Length; i++) mine[i] = received[i] + mine[i];
        }

        for (var round = 0; round < size - 1; round++)
        {
            var mine = Chunk(rank - round);
            Exchange(MemoryMarshal.AsBytes(Chunk(rank - round + 1)), MemoryMarshal.AsBytes(received.AsSpan(0, mine.Length)));
            received.AsSpan(0, mine.Length).CopyTo(mine);
        }
    }

    /// <summary>Everyone's number, by rank.</summary>
    public long[] Gather(long value)
    {
        var all = new long[size];
        all[rank] = value;
        for (var round = 0; round < size - 1; round++)
        {
            Exchange(MemoryMarshal.AsBytes(all.AsSpan(Wrap(rank - round), 1)), MemoryMarshal.AsBytes(all.AsSpan(Wrap(rank - round - 1), 1)));
        }

        return all;
    }

    public void Dispose()
    {
        next?.Dispose();
        previous?.Dispose();
    }

    private int Wrap(int index) => ((index % size) + size) % size;

    /// <summary>Sends and receives at once: if all sent first, full buffers would keep everyone from receiving.</summary>
    private void Exchange(ReadOnlySpan<byte> send, Span<byte> receive)
    {
        if (_outgoing.Length < send.Length) _outgoing = new byte[send.Length];
        send.CopyTo(_outgoing);
        var sending = SendAsync(_outgoing.AsMemory(0, send.Length));
        Receive(receive);
        sending.GetAwaiter().GetResult();
    }

    private void Receive(Span<byte> receive)
    {
        var from = Wrap(rank - 1);
        try
        {
            while (receive.Length > 0)
            {
                var n = previous!.Receive(receive);
                if (n == 0) throw new PeerLostException(from, "it closed the connection");
                receive = receive[n..];
            }
        }
        catch (SocketException e)
        {
            throw new PeerLostException(from, e.Message, e);
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> send)
    {
        try
        {
            while (send.Length > 0) send = send[await next!.SendAsync(send)..];
        }
        catch (SocketException e)
        {
            throw new PeerLostException(Wrap(rank + 1), e.Message, e);
        }
    }
}
