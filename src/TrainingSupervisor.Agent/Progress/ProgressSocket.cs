using System.Net.Sockets;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>A Unix stream socket that takes progress lines from any number of clients.</summary>
internal sealed class ProgressSocket(string path, Action<string> onLine)
{
    // sun_path holds 108 bytes with its ending zero.
    private const int LongestPath = 107;

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > LongestPath)
        {
            Log.Write($"no progress socket: {path} is longer than {LongestPath} bytes; the progress file works");
            return;
        }

        try
        {
            File.Delete(path);
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(16);
            List<Task> clients = [];
            while (true)
            {
                var client = await listener.AcceptAsync(cancellationToken).ConfigureAwait(false);
                clients.RemoveAll(c => c.IsCompleted);
                clients.Add(ServeAsync(client, cancellationToken));
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            Log.Write($"no progress socket at {path}: {e.Message}; the progress file works");
        }
    }

    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        using var socket = client;
        var lines = new LineBuffer();
        var buffer = new byte[4096];
        try
        {
            int count;
            while ((count = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                foreach (var line in lines.Append(buffer.AsSpan(0, count)))
                    onLine(line);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client is gone, or we are.
        }
    }
}
