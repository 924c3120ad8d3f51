using System.Net.Sockets;

namespace TrainingSupervisor.Agent.Sidecar;

/// <summary>
/// Open once the worker may start: a socket without a file, which the kubelet's startup probe ("gang-agent ready") can connect to. It is gone with
/// this process, so that a probe after a restart can never find what an older attempt has left.
/// </summary>
internal sealed class ReadyGate : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <exception cref="SocketException">Somebody else has that name.</exception>
    internal ReadyGate(string podUid)
    {
        _listener.Bind(Address(podUid));
        _listener.Listen(16);
        _ = AcceptAsync();
    }

    public void Dispose() => _listener.Dispose();

    internal static bool IsOpen(string podUid)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(Address(podUid));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // An abstract name: of the network namespace, which the Pods of a node may share, and so with the Pod's own UID in it.
    private static UnixDomainSocketEndPoint Address(string podUid) => new($"\0gang-agent/{podUid}");

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                (await _listener.AcceptAsync().ConfigureAwait(false)).Dispose();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // We leave. A kernel that is out of files leaves the rest in the queue, which is as good as accepted for a probe.
        }
    }
}
