using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>GET <c>pods/NAME/exec</c>: a command beside a container, over a WebSocket. SPDY, which came before, is not spoken.</summary>
internal sealed class ExecHandler(ObjectStore store, EmbeddedClusterOptions options)
{
    private const string Newest = "v5.channel.k8s.io", Older = "v4.channel.k8s.io";

    /// <summary>Starts a command: namespace, Pod, container, words. Set by the nodes.</summary>
    public Func<string, string, string, IReadOnlyList<string>, IAttachedCommand>? Start { get; set; }

    /// <summary>From 1.35 on, who opens a WebSocket by GET must be allowed to create it too.</summary>
    public bool NeedsCreate { get; } = !Version.TryParse(options.KubernetesVersion.TrimStart('v').Split('-', '+')[0], out var version) || version >= new Version(1, 35);

    /// <summary>Returns null when the answer was a stream; <paramref name="opened"/> is called when it begins.</summary>
    /// <exception cref="ApiError">The request is refused.</exception>
    public async Task<ApiResponse?> HandleAsync(HttpContext context, ApiCall call, Action opened)
    {
        var pod = store.Get(call.Type, call.Namespace, call.Name!) ?? throw ApiError.NotFound(call.Type, call.Name!);
        var wanted = ExecOptions.Parse(call, pod);
        if (!context.WebSockets.IsWebSocketRequest)
        {
            throw ApiError.BadRequest("Upgrade request required");
        }

        // The client's order counts.
        if (context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(p => p is Newest or Older) is not { } protocol)
        {
            throw ApiError.BadRequest($"unable to upgrade: unsupported protocols, this server speaks {Newest} and {Older}");
        }

        IAttachedCommand? command = null;
        Exception? failure = null;
        try
        {
            command = Start!(call.Namespace!, call.Name!, wanted.Container, wanted.Command);
        }
        catch (ContainerStartException e)
        {
            failure = e;
        }
        catch (ApiError e) when (protocol == Newest)
        {
            // This protocol ends at the API server, which says what it hears from the kubelet when its own side is open already.
            // The older one is passed on to the kubelet, whose refusal is then the answer.
            failure = e;
        }

        using (command)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync(protocol).ConfigureAwait(false);
            opened();
            try
            {
                using var stream = new ExecStream(socket, wanted, context.RequestAborted);
                await stream.RunAsync(command, failure).ConfigureAwait(false);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
            {
                // The client has gone, and with it whoever wanted to know.
            }
        }

        return null;
    }

    public static JsonObject Ended(int code) => code == 0
        ? new() { ["metadata"] = new JsonObject(), ["status"] = "Success" }
        : new()
        {
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = $"command terminated with non-zero exit code: command terminated with exit code {code}",
            ["reason"] = "NonZeroExitCode",
            ["details"] = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ExitCode", ["message"] = $"{code}" }) },
        };

    public static JsonObject NotStarted(string message) => new()
    {
        ["metadata"] = new JsonObject(),
        ["status"] = "Failure",
        ["message"] = $"Internal error occurred: {message}",
        ["reason"] = "InternalError",
        ["details"] = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) },
        ["code"] = 500,
    };
}
