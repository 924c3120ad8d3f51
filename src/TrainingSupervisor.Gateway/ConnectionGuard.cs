using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Connections.Features;

namespace TrainingSupervisor.Gateway;

/// <summary>Sees each TCP connection from its beginning to its end, and says what became of one that never made an agent's call.</summary>
internal sealed class ConnectionGuard(Turnaways turnaways)
{
    private static readonly object Asked = new(), Called = new();

    /// <summary>The TLS hello asked for this name.</summary>
    public static void NoteAsked(ConnectionContext connection, string name, bool known) => connection.Items[Asked] = (name, known);

    /// <summary>An agent's call came over this connection; what becomes of it is said elsewhere.</summary>
    public static void NoteCall(HttpContext http)
    {
        if (http.Features.Get<IConnectionItemsFeature>() is { } items) items.Items[Called] = true;
    }

    public async Task WatchAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            await next(connection);
        }
        finally
        {
            if (!connection.Items.ContainsKey(Called)) Say(connection);
        }
    }

    private void Say(ConnectionContext connection)
    {
        var peer = connection.RemoteEndPoint?.ToString();
        switch (connection.Items.TryGetValue(Asked, out var asked) ? asked : null)
        {
            case (string name, true):
                turnaways.Note("no call", peer, $"it asked for {Short(name)} and made no agent's call (no HTTP/2, or a certificate that it does not trust)");
                break;
            case (string name, false):
                turnaways.Note("not led", peer, $"it asked for '{Short(name)}', and this process leads no such gang");
                break;
            default:
                turnaways.Note("no TLS", peer, "it did not speak TLS");
                break;
        }
    }

    private static string Short(string text) => text.Length <= 100 ? text : text[..100] + "…";
}
