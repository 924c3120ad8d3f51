using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace LocalTraining.Trainer;

/// <summary>
/// A ring of TCP connections between the workers. All-reduce in two rounds (reduce-scatter, all-gather); each chunk is summed in ring order,
/// so the sum does not depend on who is fast.
/// </summary>
internal sealed class Ring : IDisposable
{
    private readonly Socket? _next;
    private readonly Socket? _previous;
    private readonly int _rank;
    private readonly int _size;

    private Ring(int rank, int size, Socket? next, Socket? previous)
    {
        _rank = rank;
        _size = size;
        _next = next;
        _previous = previous;
    }

    /// <summary>Each rank listens on its own address at a port of its own, so that ranks may also share one address.</summary>
    public static async Task<Ring> ConnectAsync(int rank, IReadOnlyList<string> addresses, int basePort)
    {
        if (addresses.Count == 1) return new Ring(0, 1, null, null);
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Parse(addresses[rank]), basePort + 1 + rank));
        listener.Listen(4);
        var accepting = listener.AcceptAsync();
        var to = (rank + 1) % addresses.Count;
        var next = await DialAsync(new IPEndPoint(IPAddress.Parse(addresses[to]), basePort + 1 + to), to);
        var previous = await accepting.WaitAsync(TimeSpan.FromSeconds(20));
        next.NoDelay = true;
        previous.NoDelay = true;
        return new Ring(rank, addresses.Count, next, previous);
    }

    /// <summary>Replaces the values by their sum over all ranks.</summary>
    public void AllReduce(float[] values)
    {
        if (_size == 1) return;
        var chunk = (values.Length + _size - 1) / _size;
        var received = new float[chunk];
        Span<float> Chunk(int index)
        {
            var i = ((index % _size) + _size) % _size;
            var start = Math.Min(i * chunk, values.Length);
            return values.AsSpan(start, Math.Min(chunk, values.Length - start));
        }

        for (var round = 0; round < _size - 1; round++)
        {
            var mine = Chunk(_rank - round - 1);
            Exchange(MemoryMarshal.AsBytes(Chunk(_rank - round)), MemoryMarshal.AsBytes(received.AsSpan(0, mine.Length)));
            for (var i = 0; i < mine.Length; i++) mine[i] = received[i] + mine[i];
        }

        for (var round = 0; round < _size - 1; round++)
        {
            var mine = Chunk(_rank - round);
            Exchange(MemoryMarshal.AsBytes(Chunk(_rank - round + 1)), MemoryMarshal.AsBytes(received.AsSpan(0, mine.Length)));
            received.AsSpan(0, mine.Length).CopyTo(mine);
        }
    }

    /// <summary>Everyone's number, by rank.</summary>
    public long[] Gather(long value)
    {
        var all = new long[_size];
        all[_rank] = value;
        for (var round = 0; round < _size - 1; round++)
        {
            var give = ((_rank - round) % _size + _size) % _size;
            var take = ((_rank - round - 1) % _size + _size) % _size;
            Exchange(MemoryMarshal.AsBytes(all.AsSpan(give, 1)), MemoryMarshal.AsBytes(all.AsSpan(take, 1)));
        }

        return all;
    }

    public void Dispose()
    {
        _next?.Dispose();
        _previous?.Dispose();
    }

    /// <summary>Sends and receives at once: a send that fills the buffers must not keep the others from sending.</summary>
    private void Exchange(ReadOnlySpan<byte> send, Span<byte> receive)
    {
        var sent = 0;
        var got = 0;
        try
        {
            while (sent < send.Length || got < receive.Length)
            {
                if (sent < send.Length) sent += _next!.Send(send.Slice(sent, Math.Min(16384, send.Length - sent)));
                if (got < receive.Length && (sent == send.Length || _previous!.Available > 0))
                {
                    var n = _previous!.Receive(receive[got..]);
                    if (n == 0) throw new PeerLostException("the previous rank closed the connection");
                    got += n;
                }
            }
        }
        catch (SocketException e)
        {
            throw new PeerLostException(e.Message);
        }
    }

    private static async Task<Socket> DialAsync(IPEndPoint endpoint, int rank)
    {
        for (var attempt = 0; ; attempt++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(endpoint);
                return socket;
            }
            catch (SocketException e)
            {
                socket.Dispose();
                if (attempt >= 600) throw new PeerLostException($"rank {rank} at {endpoint}: {e.Message}");
                await Task.Delay(25);
            }
        }
    }
}

/// <summary>Another rank is gone: this one can do nothing more.</summary>
internal sealed class PeerLostException(string message) : Exception(message);
