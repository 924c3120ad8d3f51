using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using TrainingSupervisor.Testing.Nodes;

namespace TrainingSupervisor.Testing;

/// <summary>
/// The network between Pods and something outside of the cluster, such as a launcher's own server: a TCP relay to put between.
/// While a node is partitioned or has failed, connections from its Pods are black-holed as on a real network: they stay open and
/// nothing passes, not even their end; new ones are accepted and hang. When the node is back, what was held is delivered.
/// <see cref="Cut"/> does the same to all connections. Which node a connection comes from is found out by the process that
/// opened it, on Linux only; elsewhere, and for processes that are in no Pod, only <see cref="Cut"/> applies.
/// </summary>
public sealed class NetworkRelay : IAsyncDisposable
{
    private readonly NodePlane _plane;
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _connections = [];
    private readonly Gate _all = new();
    private readonly TaskCompletionSource _hasTarget = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;
    private IPEndPoint? _target;
    private int _disposed;

    internal NetworkRelay(NodePlane plane, IPEndPoint? target)
    {
        _plane = plane;
        _listener = new(IPAddress.Loopback, 0);
        _listener.Start();
        EndPoint = (IPEndPoint)_listener.LocalEndpoint;
        Target = target;
        _accepting = AcceptAsync();
    }

    /// <summary>Where the relay listens: what Pods are to be told.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Where connections go; those that come before it is set wait. Changing it affects new connections only.</summary>
    public IPEndPoint? Target
    {
        get => Volatile.Read(ref _target);
        set
        {
            Volatile.Write(ref _target, value);
            if (value is not null)
            {
                _hasTarget.TrySetResult();
            }
        }
    }

    /// <summary>How many connections are open, held ones too.</summary>
    public int OpenConnections => _connections.Count;

    /// <summary>True between <see cref="Cut"/> and <see cref="Restore"/>.</summary>
    public bool IsCut => !_all.IsOpen;

    /// <summary>Black-holes all connections until <see cref="Restore"/>.</summary>
    public void Cut() => _all.Close();

    /// <summary>Ends <see cref="Cut"/>: what was held is delivered.</summary>
    public void Restore() => _all.Open();

    /// <summary>Closes all connections and stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        await Task.WhenAll(_connections.Keys).ConfigureAwait(false);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
                var connection = Task.Run(() => RelayAsync(client));
                _connections[connection] = true;
                _ = connection.ContinueWith(t => _connections.TryRemove(t, out _), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that gave up before it was accepted.
            }
        }
    }

    private async Task RelayAsync(Socket client)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            try
            {
                var node = ConnectionOwner.Find((IPEndPoint)client.RemoteEndPoint!, EndPoint) is { } container ? _plane.NodeOf(container) : null;
                await _hasTarget.Task.WaitAsync(_stop.Token).ConfigureAwait(false);
                await PassAsync(node).ConfigureAwait(false);
                await server.ConnectAsync(Target!, _stop.Token).ConfigureAwait(false);
                await Task.WhenAll(PumpAsync(client, server, node), PumpAsync(server, client, node)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // Either side is gone, and the other learns it by the end of its connection.
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Kubelet? node)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var read = await from.ReceiveAsync(buffer, _stop.Token).ConfigureAwait(false);
                await PassAsync(node).ConfigureAwait(false);
                if (read == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }

                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _stop.Token).ConfigureAwait(false);
                }
            }
        }
        catch (SocketException)
        {
            // A broken connection is not seen through a cut either.
            await PassAsync(node).ConfigureAwait(false);
            from.Dispose();
            to.Dispose();
        }
    }

    private async Task PassAsync(Kubelet? node)
    {
        while (!_all.IsOpen || node is { Network.IsOpen: false })
        {
            await _all.WaitAsync(_stop.Token).ConfigureAwait(false);
            await (node?.Network.WaitAsync(_stop.Token) ?? Task.CompletedTask).ConfigureAwait(false);
        }
    }
}
