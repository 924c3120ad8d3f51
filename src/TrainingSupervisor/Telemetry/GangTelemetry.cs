using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace TrainingSupervisor;

/// <summary>Turns a gang's events into log lines, metrics and one trace per recovery. docs/telemetry.md lists the names.</summary>
internal sealed class GangTelemetry(string gang, ILogger log)
{
    public const string Name = "TrainingSupervisor";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>("gang.failures", "{failure}", "Failures detected");
    private static readonly Counter<long> Recoveries = Meter.CreateCounter<long>("gang.recoveries", "{recovery}", "Recoveries completed");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("gang.recovery.duration", "s", "From the failure to the release of all workers");

    public void Observe(GangEvent happened)
    {
        switch (happened)
        {
            case PhaseChanged p:
                Log.Phase(log, gang, p.Phase, p.Attempt, p.Reason);
                break;
            case FailureDetected f:
                Log.Failure(log, gang, f.Failure, f.Failure.At, f.Failure.SeenBy);
                Failures.Add(1, new KeyValuePair<string, object?>("gang", gang), new("kind", f.Failure.Kind.ToString()));
                break;
            case RecoveryPlanned p:
                Log.Planned(log, gang, p.Plan.Attempt, p.Plan.Summary, p.Plan.Reason, p.Plan.Cause?.ToString() ?? "none");
                break;
            case RecoveryCompleted { Plan.Cause: { } cause } r:
                Completed(r, cause);
                break;
            case GangNotice n:
                Log.Notice(log, gang, n.Text);
                break;
            default:
                break;
        }
    }

    private void Completed(RecoveryCompleted recovery, Failure cause)
    {
        var timing = recovery.Timing;
        var end = timing.Released ?? timing.BarrierComplete ?? recovery.At;
        var seconds = (end - timing.Failed).TotalSeconds;
        Log.Recovered(log, gang, recovery.Plan.Attempt, seconds);
        var tags = new TagList { { "gang", gang }, { "kind", cause.Kind.ToString() }, { "strategy", recovery.Plan.Strategy.ToString() } };
        Recoveries.Add(1, tags);
        Duration.Record(seconds, tags);

        using var root = Source.StartActivity("gang.recovery", ActivityKind.Internal, default(ActivityContext), tags, startTime: timing.Failed);
        if (root is null) return;
        root.SetTag("attempt", recovery.Plan.Attempt).SetTag("cause", cause.ToString()).SetTag("plan", recovery.Plan.Summary);
        Span(root, "detect", timing.Failed, timing.Detected);
        Span(root, "decide", timing.Detected, timing.Decided);
        Span(root, "command", timing.Decided, timing.Commanded);
        Span(root, "restart", timing.Commanded, timing.Restarted);
        Span(root, "barrier", timing.Restarted, timing.BarrierComplete);
        Span(root, "release", timing.BarrierComplete, timing.Released);
        Span(root, "first step", timing.Released, timing.FirstStep);
        root.SetEndTime((timing.FirstStep ?? end).UtcDateTime);
    }

    private static void Span(Activity root, string name, DateTimeOffset? from, DateTimeOffset? to)
    {
        if (from is null || to is null) return;
        using var span = Source.StartActivity(name, ActivityKind.Internal, root.Context, startTime: from.Value);
        span?.SetEndTime(to.Value.UtcDateTime);
    }
}
