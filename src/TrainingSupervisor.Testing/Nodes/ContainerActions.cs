using System.Net.Sockets;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>What probes and lifecycle hooks do: exec, httpGet, tcpSocket, grpc (as far as the connection) and sleep.</summary>
internal sealed class ContainerActions(NodeContext context, string address)
{
    // A kubelet does not check the certificates of what it asks.
#pragma warning disable CA5359
    private static readonly HttpClient s_http = new(new SocketsHttpHandler
    {
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        UseProxy = false,
        AllowAutoRedirect = false,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };
#pragma warning restore CA5359

    /// <summary>True when the action succeeded in time.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<bool> RunAsync(
        JsonObject container, JsonObject action, ContainerLaunch launch, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(timeout);
        try
        {
            if (action.At("exec") is { } exec)
            {
                var words = exec.Items("command")?.Select(w => launch.Rewrite(w!.GetValue<string>())).ToArray() ?? [];
                if (words.Length > 0 && !context.Options.SimulateContainers)
                {
                    // A program of the image's own, as the container's first one may be.
                    var path = launch.Environment.GetValueOrDefault("PATH") ?? Environment.GetEnvironmentVariable("PATH");
                    words[0] = context.Images.FindCommand(container.Text("image") ?? "", words[0], launch.WorkingDirectory, path) ?? words[0];
                }

                var command = launch with { Command = words, LogFile = "/dev/null" };
                return await context.Runtime.ExecuteAsync(command, timeout, cancellationToken).ConfigureAwait(false) == 0;
            }

            if (action.At("sleep") is { } sleep)
            {
                await Task.Delay(TimeSpan.FromSeconds(sleep.Number("seconds") ?? 0), context.Time, timer.Token).ConfigureAwait(false);
                return true;
            }

            if (action.At("httpGet") is { } http)
            {
                return await GetAsync(container, http, timer.Token).ConfigureAwait(false);
            }

            var socket = action.At("tcpSocket");
            using var client = new TcpClient();
            await client.ConnectAsync(socket.Text("host") ?? address, (int)Port(container, socket ?? action.At("grpc")), timer.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or OperationCanceledException or ContainerStartException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    private async Task<bool> GetAsync(JsonObject container, JsonObject http, CancellationToken cancellationToken)
    {
        var scheme = string.Equals(http.Text("scheme"), "HTTPS", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
        using var request = new HttpRequestMessage(
            HttpMethod.Get, $"{scheme}://{http.Text("host") ?? address}:{Port(container, http)}/{http.Text("path")?.TrimStart('/')}");
        foreach (var header in http.Items("httpHeaders")?.OfType<JsonObject>() ?? [])
        {
            request.Headers.TryAddWithoutValidation(header.Text("name")!, header.Text("value"));
        }

        using var response = await s_http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        return (int)response.StatusCode is >= 200 and < 400;
    }

    private static long Port(JsonObject container, JsonObject? action) =>
        action.Number("port")
        ?? container.Items("ports")?.OfType<JsonObject>().FirstOrDefault(p => p.Text("name") == action.Text("port")).Number("containerPort")
        ?? 0;
}
