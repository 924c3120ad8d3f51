using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace LocalTraining.Trainer;

/// <summary>
/// Connects the ranks to a ring. Each rank listens on its own address at a port of its own, so that ranks may also share one address.
/// Peers may come in any order and late; who is no rank of this attempt is turned away.
/// </summary>
internal static class RingConnector
{
    private const int Magic = 0x52494E47;
    private const int HelloBytes = 12;
    private static readonly TimeSpan HelloLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan DialPause = TimeSpan.FromMilliseconds(20);

    public static async Task<Ring> ConnectAsync(int rank, IReadOnlyList<string> addresses, int basePort, int attempt, TimeSpan patience)
    {
        var size = addresses.Count;
        if (size == 1) return new Ring(0, 1, null, null);
        IPEndPoint EndPoint(int of) => new(IPAddress.Parse(addresses[of]), basePort + 1 + of);
        var (after, before) = ((rank + 1) % size, (rank + size - 1) % size);
        using var listener = Listen(EndPoint(rank));
        using var limit = new CancellationTokenSource(patience);
        var accepting = AcceptAsync(listener, before, attempt, patience, limit.Token);
        try
        {
            var next = await DialAsync(EndPoint(after), rank, after, attempt, patience, limit.Token);
            var previous = await accepting;
            next.NoDelay = true;
            previous.NoDelay = true;
            return new Ring(rank, size, next, previous);
        }
        catch
        {
            await limit.CancelAsync();
            await ((Task)accepting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private static Socket Listen(IPEndPoint endpoint)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(endpoint);
            listener.Listen(8);
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new IOException($"cannot listen on {endpoint}: {e.Message}", e);
        }
    }

    private static async Task<Socket> AcceptAsync(Socket listener, int from, int attempt, TimeSpan patience, CancellationToken token)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptAsync(token);
                if (await IsExpectedAsync(socket, from, attempt, token)) return socket;
                socket.Dispose();
            }
        }
        catch (OperationCanceledException e)
        {
            throw new PeerLostException(from, $"it did not connect within {patience.TotalSeconds:0.#} s", e);
        }
    }

    private static async Task<bool> IsExpectedAsync(Socket socket, int from, int attempt, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(HelloLimit);
        var hello = new byte[HelloBytes];
        try
        {
            for (var got = 0; got < hello.Length;)
            {
                var n = await socket.ReceiveAsync(hello.AsMemory(got), limit.Token);
                if (n == 0) return false;
                got += n;
            }
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            return false;
        }

        return hello.AsSpan().SequenceEqual(Hello(from, attempt));
    }

    private static async Task<Socket> DialAsync(IPEndPoint endpoint, int rank, int to, int attempt, TimeSpan patience, CancellationToken token)
    {
        SocketException? last = null;
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(endpoint, token);
                await socket.SendAsync(Hello(rank, attempt), token);
                return socket;
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch (OperationCanceledException e)
            {
                socket.Dispose();
                throw NotReached(e);
            }

            try
            {
                await Task.Delay(DialPause, token);
            }
            catch (OperationCanceledException e)
            {
                throw NotReached(e);
            }
        }

        PeerLostException NotReached(Exception e) =>
            new(to, $"{endpoint} was not reached within {patience.TotalSeconds:0.#} s{(last is null ? "" : $" ({last.Message})")}", e);
    }

    private static byte[] Hello(int rank, int attempt)
    {
        var hello = new byte[HelloBytes];
        BinaryPrimitives.WriteInt32BigEndian(hello, Magic);
        BinaryPrimitives.WriteInt32BigEndian(hello.AsSpan(4), rank);
        BinaryPrimitives.WriteInt32BigEndian(hello.AsSpan(8), attempt);
        return hello;
    }
}
