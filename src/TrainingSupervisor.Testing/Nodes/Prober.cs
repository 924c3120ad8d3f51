using System.Net.Sockets;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Runs a container's probes: exec, httpGet and tcpSocket. It reports changes only.</summary>
internal sealed class Prober(NodeContext context, string address)
{
    // A kubelet does not check the certificates of what it probes.
#pragma warning disable CA5359
    private static readonly HttpClient s_http = new(new SocketsHttpHandler
    {
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        UseProxy = false,
        AllowAutoRedirect = false,
    });
#pragma warning restore CA5359

    public static bool Has(JsonObject container, string kind) => container.At(kind) is not null;

    /// <summary>The startup probe first, then liveness and readiness, until the run ends.</summary>
    public async Task RunAsync(JsonObject container, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd)
    {
        try
        {
            if (Has(container, "startupProbe") && !await StartupAsync(container, launch, report, runEnd).ConfigureAwait(false))
            {
                return;
            }

            await Task.WhenAll(
                FollowAsync(container, "livenessProbe", true, launch, report, runEnd),
                FollowAsync(container, "readinessProbe", false, launch, report, runEnd)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task<bool> StartupAsync(JsonObject container, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd)
    {
        var started = false;
        await FollowAsync(container, "startupProbe", false, launch, (kind, healthy) =>
        {
            started = healthy;
            report(kind, healthy);
        }, runEnd, once: true).ConfigureAwait(false);
        return started;
    }

    private async Task FollowAsync(
        JsonObject container, string kind, bool state, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd, bool once = false)
    {
        if (container.At(kind) is not { } probe)
        {
            return;
        }

        await Task.Delay(TimeSpan.FromSeconds(probe.Number("initialDelaySeconds") ?? 0), context.Time, runEnd).ConfigureAwait(false);
        var (successes, failures) = (0L, 0L);
        var first = true;
        while (true)
        {
            var healthy = await CheckAsync(container, probe, launch, runEnd).ConfigureAwait(false);
            (successes, failures) = healthy ? (successes + 1, 0L) : (0L, failures + 1);
            var (up, down) = (probe.Number("successThreshold") ?? 1, probe.Number("failureThreshold") ?? 3);
            if ((healthy && successes == up && (!state || first)) || (!healthy && failures == down && (state || once)))
            {
                (state, first) = (healthy, false);
                report(kind, healthy);
                if (once)
                {
                    return;
                }
            }

            await Task.Delay(TimeSpan.FromSeconds(probe.Number("periodSeconds") ?? 10), context.Time, runEnd).ConfigureAwait(false);
        }
    }

    private async Task<bool> CheckAsync(JsonObject container, JsonObject probe, ContainerLaunch launch, CancellationToken runEnd)
    {
        var timeout = TimeSpan.FromSeconds(probe.Number("timeoutSeconds") ?? 1);
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(runEnd);
        timer.CancelAfter(timeout);
        try
        {
            if (probe.At("exec") is { } exec)
            {
                var words = exec.Items("command")?.Select(w => launch.Rewrite(w!.GetValue<string>())).ToArray() ?? [];
                var command = launch with { Command = words, LogFile = "/dev/null" };
                return await context.Runtime.ExecuteAsync(command, timeout, runEnd).ConfigureAwait(false) == 0;
            }

            if (probe.At("httpGet") is { } http)
            {
                var scheme = string.Equals(http.Text("scheme"), "HTTPS", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
                var uri = new Uri($"{scheme}://{http.Text("host") ?? address}:{Port(container, http)}/{http.Text("path")?.TrimStart('/')}");
                using var response = await s_http.GetAsync(uri, timer.Token).ConfigureAwait(false);
                return (int)response.StatusCode is >= 200 and < 400;
            }

            var socket = probe.At("tcpSocket");
            using var client = new TcpClient();
            await client.ConnectAsync(socket.Text("host") ?? address, (int)Port(container, socket ?? probe.At("grpc")), timer.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or OperationCanceledException or ContainerStartException)
        {
            runEnd.ThrowIfCancellationRequested();
            return false;
        }
    }

    private static long Port(JsonObject container, JsonObject? action) =>
        action.Number("port")
        ?? container.Items("ports")?.OfType<JsonObject>().FirstOrDefault(p => p.Text("name") == action.Text("port")).Number("containerPort")
        ?? 0;
}
