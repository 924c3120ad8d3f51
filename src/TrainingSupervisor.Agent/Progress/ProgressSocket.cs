using System.Net.Sockets;
using System.Text;
using TrainingSupervisor.Agent.Sidecar;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>
/// A Unix stream socket that takes progress lines from any number of clients. It reads on only when what it has read was taken in: a
/// worker that writes faster than that waits, as with any pipe.
/// </summary>
internal sealed class ProgressSocket(string path, bool shared, Func<IReadOnlyList<string>, Task> onLines)
{
    // sun_path holds 108 bytes with its ending zero.
    private const int LongestPath = 107, MostClients = 64;
    private const string Subject = "progress socket";
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly List<Task> _clients = [];
    private (string Line, TaskCompletionSource Seen)? _mark;
    private volatile bool _listening;

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        if (Encoding.UTF8.GetByteCount(path) > LongestPath)
        {
            Log.Write($"no progress socket: {path} is longer than {LongestPath} bytes; the progress file works");
            return;
        }

        try
        {
            File.Delete(path);
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            if (shared)
                SharedFile.Allow(path);
            listener.Listen(MostClients);
            _listening = true;
            while (true)
                await AcceptAsync(listener, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            Log.Write($"no progress socket at {path}: {e.Message}; the progress file works");
        }
        finally
        {
            _listening = false;
        }
    }

    /// <summary>Once nobody can write any more: returns when all that was written has been taken in, or after the limit.</summary>
    internal async Task DrainAsync(TimeSpan limit)
    {
        if (!_listening)
            return;
        try
        {
            // Connections are accepted in their order: once ours is read, all before it are known.
            var mark = (Line: $"mark {Guid.NewGuid():N}", Seen: new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            lock (_gate)
                _mark = mark;
            using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path)).WaitAsync(limit).ConfigureAwait(false);
                await socket.SendAsync(Encoding.UTF8.GetBytes(mark.Line + "\n")).WaitAsync(limit).ConfigureAwait(false);
                await mark.Seen.Task.WaitAsync(limit).ConfigureAwait(false);
            }

            Task[] clients;
            lock (_gate)
                clients = [.. _clients];
            await Task.WhenAll(clients).WaitAsync(limit).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            // Last words are worth no more waiting than this.
        }
    }

    private async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        Socket client;
        try
        {
            client = await listener.AcceptAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            Log.WriteOnce(Subject, $"the progress socket cannot take a connection: {e.Message}");
            await Task.Delay(AcceptPause, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            return;
        }

        lock (_gate)
        {
            _clients.RemoveAll(c => c.IsCompleted);
            if (_clients.Count < MostClients)
            {
                _clients.Add(ServeAsync(client, cancellationToken));
                return;
            }
        }

        Log.WriteOnce(Subject, $"the progress socket has {MostClients} connections already; further ones are closed");
        client.Dispose();
    }

    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var socket = client;
        var lines = new LineBuffer();
        var buffer = new byte[4096];
        try
        {
            int count;
            while ((count = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                var said = lines.Append(buffer.AsSpan(0, count));
                Notice(said);
                if (said.Count > 0)
                    await onLines(said).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client is gone, or we are.
        }
    }

    private void Notice(List<string> said)
    {
        lock (_gate)
        {
            if (_mark is not { } mark || !said.Remove(mark.Line))
                return;
            _mark = null;
            mark.Seen.SetResult();
        }
    }
}
