using System.Net;
using System.Net.Sockets;
using LocalTraining.Trainer;

namespace TrainingSupervisor.Samples.Tests.Trainer;

public sealed class RingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1, 10)]
    [InlineData(2, 1)]
    [InlineData(3, 7)]
    [InlineData(5, 100_003)]
    [InlineData(8, 3)]
    public async Task AllReduce_ManyRanks_SameBitsEverywhereAndEveryTime(int size, int length)
    {
        var once = await RunAsync(size, ring => Reduce(ring.Ring, ring.Rank, length));
        var again = await RunAsync(size, ring => Reduce(ring.Ring, ring.Rank, length));

        Assert.All(once.Concat(again), sums => Assert.Equal(once[0], sums));
        for (var i = 0; i < length; i++) Assert.Equal(Enumerable.Range(0, size).Sum(rank => (double)Value(rank, i)), once[0][i], 1e-2);
    }

    [Fact]
    public async Task AllReduce_MoreThanTheSocketsHold_DoesNotBlock()
    {
        // Far more per chunk than send and receive buffers take: whoever sent first and received later would wait for ever.
        var sums = await RunAsync(2, ring => Reduce(ring.Ring, ring.Rank, 4 * 1024 * 1024));

        Assert.Equal(sums[0], sums[1]);
    }

    [Fact]
    public async Task Gather_ManyRanks_EveryNumberAtItsRank()
    {
        var all = await RunAsync(4, ring => ring.Ring.Gather(ring.Rank * 11));

        Assert.All(all, numbers => Assert.Equal([0, 11, 22, 33], numbers));
    }

    [Fact]
    public async Task AllReduce_PeerCloses_SaysWhichRankIsLost()
    {
        var lost = await RunAsync(3, ring =>
        {
            if (ring.Rank == 1)
            {
                ring.Ring.Dispose();
                return null;
            }

            return Assert.ThrowsAny<Exception>(void () =>
            {
                while (true) Reduce(ring.Ring, ring.Rank, 1000);
            });
        });

        // Rank 2 hears from rank 1. Rank 0 sends to rank 1 and hears from rank 2, which leaves for the same reason: it names one of its neighbours.
        Assert.Equal(1, Assert.IsType<PeerLostException>(lost[2]).Rank);
        Assert.Contains("lost peer rank 1", lost[2]!.Message, StringComparison.Ordinal);
        Assert.InRange(Assert.IsType<PeerLostException>(lost[0]).Rank, 1, 2);
    }

    [Fact]
    public async Task ConnectAsync_PeerComesLateAndStrangerComesFirst_TheRingIsWhole()
    {
        var port = Ports.FreeRange(2);
        string[] addresses = ["127.0.0.1", "127.0.0.1"];
        var first = RingConnector.ConnectAsync(0, addresses, port, 3, Patience);
        using var stranger = await KnockAsync(port + 1);
        await stranger.SendAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        using var old = await KnockAsync(port + 1);
        await old.SendAsync(new byte[] { 0x52, 0x49, 0x4E, 0x47, 0, 0, 0, 1, 0, 0, 0, 2 });
        await TurnedAwayAsync(stranger);
        await TurnedAwayAsync(old);
        Assert.False(first.IsCompleted);

        using var b = await RingConnector.ConnectAsync(1, addresses, port, 3, Patience);
        using var a = await first.WaitAsync(Patience);
        var theirs = Task.Run(() => b.Gather(2));
        var mine = Task.Run(() => a.Gather(1));
        long[] expected = [1, 2];
        Assert.Equal(expected, await theirs.WaitAsync(Patience));
        Assert.Equal(expected, await mine.WaitAsync(Patience));
    }

    [Fact]
    public async Task ConnectAsync_PeerNeverComes_SaysWhichRankAfterItsPatience()
    {
        var port = Ports.FreeRange(3);
        var error = await Assert.ThrowsAsync<PeerLostException>(
            () => RingConnector.ConnectAsync(1, ["127.0.0.1", "127.0.0.1", "127.0.0.1"], port, 1, TimeSpan.FromMilliseconds(300)).WaitAsync(Patience));

        Assert.Equal(2, error.Rank);
        Assert.Contains($"127.0.0.1:{port + 3} was not reached within 0.3 s", error.Message, StringComparison.Ordinal);
    }

    private static async Task TurnedAwayAsync(Socket socket)
    {
        try
        {
            Assert.Equal(0, await socket.ReceiveAsync(new byte[1]).WaitAsync(Patience));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // What it said had not been read to the end.
        }
    }

    private static async Task<Socket> KnockAsync(int port)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return socket;
            }
            catch (SocketException)
            {
                // It does not listen yet.
                socket.Dispose();
            }
        }
    }

    /// <summary>Values whose sum depends on the order of summation.</summary>
    private static float Value(int rank, int index) => MathF.Sin((rank * 7919) + index) * MathF.Pow(10, rank % 4);

    private static float[] Reduce(Ring ring, int rank, int length)
    {
        var values = new float[length];
        for (var i = 0; i < length; i++) values[i] = Value(rank, i);
        ring.AllReduce(values);
        return values;
    }

    private static async Task<T[]> RunAsync<T>(int size, Func<(Ring Ring, int Rank), T> work)
    {
        var port = Ports.FreeRange(size);
        var addresses = Enumerable.Repeat("127.0.0.1", size).ToArray();
        var rings = await Task.WhenAll(Enumerable.Range(0, size).Select(rank => RingConnector.ConnectAsync(rank, addresses, port, 1, Patience)));
        try
        {
            var tasks = rings.Select((ring, rank) => Task.Factory.StartNew(
                () => work((ring, rank)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
            // A rank that has done its part leaves, as a process does; its peers must not wait for the end of the test.
            foreach (var (task, ring) in tasks.Zip(rings))
            {
                _ = task.ContinueWith(_ => ring.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            return await Task.WhenAll(tasks).WaitAsync(Patience);
        }
        finally
        {
            foreach (var ring in rings) ring.Dispose();
        }
    }
}
