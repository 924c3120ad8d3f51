using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace TrainingSupervisor.Kubernetes.Tests.Faults;

/// <summary>A TCP connection that can go dead: it stays open on both sides, and nothing comes through any more.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Line, Task> _lines = new();
    private readonly int _upstream;
    private readonly Task _accepting;

    public Wire(int upstream)
    {
        _upstream = upstream;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections that the client has not closed yet.</summary>
    public int Open => _lines.Keys.Count(l => !l.ClientLeft);

    /// <summary>From now on the connections that there are swallow everything; new ones work.</summary>
    public void Silence()
    {
        foreach (var line in _lines.Keys) line.Silent = true;
    }

    /// <summary>Resets all connections.</summary>
    public void Cut()
    {
        foreach (var line in _lines.Keys) line.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        Cut();
        await Task.WhenAll(_lines.Values);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stopping.Token);
                var line = new Line(client);
                _lines[line] = Task.CompletedTask;
                _lines[line] = RunAsync(line);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task RunAsync(Line line)
    {
        await Task.Yield();
        try
        {
            await line.Server.ConnectAsync(IPAddress.Loopback, _upstream);
            await Task.WhenAny(line.PumpAsync(line.Client, line.Server, () => line.ClientLeft = true), line.PumpAsync(line.Server, line.Client, () => { }));
        }
        catch (SocketException)
        {
            // Nobody listens: the client sees a reset, as it would.
        }
        finally
        {
            line.Dispose();
            _lines.TryRemove(line, out _);
        }
    }

    private sealed class Line(Socket client) : IDisposable
    {
        public Socket Client { get; } = client;
        public Socket Server { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        public bool Silent { get; set; }
        public bool ClientLeft { get; set; }

        public async Task PumpAsync(Socket from, Socket to, Action ended)
        {
            var buffer = new byte[16 * 1024];
            try
            {
                while (await from.ReceiveAsync(buffer) is > 0 and var count)
                {
                    for (var sent = 0; !Silent && sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Cut.
            }

            ended();
            // A dead line does not even tell that the server has gone.
            if (Silent && from == Server) await Task.Delay(Timeout.Infinite, _never.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        private readonly CancellationTokenSource _never = new();

        public void Dispose()
        {
            ClientLeft = true;
            _never.Cancel();
            Client.Close(0);
            Server.Close(0);
        }
    }
}
