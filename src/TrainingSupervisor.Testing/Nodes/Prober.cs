using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Runs a container's probes. It reports changes only.</summary>
internal sealed class Prober(NodeContext context, ContainerActions actions)
{
    public static bool Has(JsonObject container, string kind) => container.At(kind) is not null;

    /// <summary>The startup probe first, then liveness and readiness, until the run ends.</summary>
    public async Task RunAsync(JsonObject container, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd)
    {
        var start = context.Time.GetUtcNow();
        try
        {
            if (Has(container, "startupProbe") && !await StartupAsync(container, start, launch, report, runEnd).ConfigureAwait(false))
            {
                return;
            }

            await Task.WhenAll(
                FollowAsync(container, start, "livenessProbe", true, launch, report, runEnd),
                FollowAsync(container, start, "readinessProbe", false, launch, report, runEnd)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task<bool> StartupAsync(JsonObject container, DateTimeOffset start, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd)
    {
        var started = false;
        await FollowAsync(container, start, "startupProbe", false, launch, (kind, healthy) =>
        {
            started = healthy;
            report(kind, healthy);
        }, runEnd, once: true).ConfigureAwait(false);
        return started;
    }

    private async Task FollowAsync(
        JsonObject container, DateTimeOffset start, string kind, bool state, ContainerLaunch launch, Action<string, bool> report, CancellationToken runEnd, bool once = false)
    {
        if (container.At(kind) is not { } probe)
        {
            return;
        }

        var period = TimeSpan.FromSeconds(probe.Number("periodSeconds") ?? 10);
        var due = start + TimeSpan.FromSeconds(probe.Number("initialDelaySeconds") ?? 0);
        await DelayAsync(kind, period, due - context.Time.GetUtcNow(), runEnd).ConfigureAwait(false);
        var (successes, failures) = (0L, 0L);
        var first = true;
        while (true)
        {
            var healthy = await actions.RunAsync(container, probe, launch, TimeSpan.FromSeconds(probe.Number("timeoutSeconds") ?? 1), runEnd).ConfigureAwait(false);
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

            await Task.Delay(period, context.Time, runEnd).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// A kubelet's probes tick whatever its containers do, so a container waits for a tick, a period or less; only the first
    /// readiness probe comes at once. Here the ticks begin with the container.
    /// </summary>
    private Task DelayAsync(string kind, TimeSpan period, TimeSpan left, CancellationToken runEnd)
    {
        var ticks = kind == "readinessProbe" && left <= TimeSpan.Zero ? 0 : Math.Max(1, Math.Ceiling(left / period));
        return Task.Delay(period * ticks, context.Time, runEnd);
    }
}
