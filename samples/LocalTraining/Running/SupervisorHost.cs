using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrainingSupervisor;

namespace LocalTraining.Running;

/// <summary>The launcher's part: a generic host with the library in it. Says what happens through a callback.</summary>
internal static class SupervisorHost
{
    public static async Task<bool> RunAsync(SuperviseRequest request, Action<SupervisorLine> say, CancellationToken cancellationToken)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddLogging(l => l.SetMinimumLevel(LogLevel.Warning));
        builder.Services.AddTrainingSupervisor(options =>
        {
            options.KubeConfigPath = request.KubeConfig;
            // Short, so that the next supervisor takes over soon; not so short that a busy machine makes a living one lose its Lease.
            options.Kubernetes.LeaseDuration = TimeSpan.FromSeconds(3);
            options.Gateway.ListenAddress = System.Net.IPAddress.Loopback;
            options.Gateway.Port = request.GatewayPort;
            options.Gateway.AdvertisedAddress = "127.0.0.1";
        });
        using var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
            var gang = await host.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(request.Describe(), cancellationToken);
            using var events = gang.Events.Subscribe(e => Translate(gang, e, say));
            using var ticking = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var ticks = TickAsync(gang, say, ticking.Token);
            var result = await gang.WaitAsync(cancellationToken);
            await ticking.CancelAsync();
            await ticks;
            say(new SupervisorLine { Status = StatusOf(gang) });
            say(new SupervisorLine { Result = new ResultLine(result.Phase.ToString(), result.Outcome, result.Attempts) });
            return result.Succeeded;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The edge of the supervisor: whatever it is, the sample is told in words.
            say(new SupervisorLine { Error = e is SupervisorException ? e.Message : $"the supervisor failed: {e.GetType().Name}: {e.Message}" });
            return false;
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task TickAsync(GangHandle gang, Action<SupervisorLine> say, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) say(new SupervisorLine { Status = StatusOf(gang) });
        }
        catch (OperationCanceledException)
        {
            // The gang has ended.
        }
    }

    private static GangStatusLine StatusOf(GangHandle gang)
    {
        var status = gang.Status;
        return new GangStatusLine(status.Phase.ToString(), status.Attempt,
            [.. status.Workers.Select(w => new WorkerLine(w.Rank, w.Worker?.ToString(), w.Pod, w.Node, w.State, w.Attempt, w.Step))]);
    }

    private static string Culprit(Failure cause) =>
        cause.Worker is { } worker ? $"{worker}{(cause.Node is { } node ? $" on {node}" : "")}" : cause.Node ?? "unknown";

    private static StragglerLine StragglerOf(GangHandle gang, FailureDetected found) => new(
        found.At, gang.Status.Workers.First(w => w.Worker == found.Failure.Worker).Rank, Culprit(found.Failure), found.Failure.Evidence);

    private static void Translate(GangHandle gang, GangEvent happened, Action<SupervisorLine> say)
    {
        void Event(string level, string text) => say(new SupervisorLine { Event = new EventLine(happened.At, level, text) });
        switch (happened)
        {
            case PhaseChanged p: Event("info", $"{p.Phase}, attempt {p.Attempt}"); break;
            case FailureDetected f:
                Event("warning", f.Failure.ToString());
                if (f.Failure.Kind == FailureKind.Straggler) say(new SupervisorLine { Straggler = StragglerOf(gang, f) });
                break;
            case RecoveryPlanned p:
                say(new SupervisorLine { PlannedAttempt = p.Plan.Attempt });
                Event("info", $"plan for attempt {p.Plan.Attempt}: {(p.Plan.QuiesceDeadline > TimeSpan.Zero ? "all save; then " : "")}{p.Plan.Summary}");
                foreach (var (rank, step) in p.Plan.Steps.Index().Where(s => s.Item.OldPod is not null))
                {
                    say(new SupervisorLine { Move = new MoveLine(p.At, p.Plan.Attempt, rank, step.OldPod!, step.Pod, step.Step == RecoveryStep.ReplaceWithSpare) });
                }

                break;
            case GangNotice n: Event("info", n.Text); break;
            case RecoveryCompleted { Plan.Cause: { } cause } r:
                say(new SupervisorLine
                {
                    Recovery = new RecoveryLine(r.Plan.Attempt, $"{cause.Kind}: {cause.Evidence}", Culprit(cause), r.Plan.Summary, r.Timing) { Cost = r.Cost },
                });
                break;
            default: break;
        }
    }
}
