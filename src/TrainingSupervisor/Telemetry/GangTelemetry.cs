using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Engine.Learning;

namespace TrainingSupervisor;

/// <summary>Turns a gang's events into log lines, metrics and one trace per recovery. docs/telemetry.md lists the names.</summary>
internal sealed class GangTelemetry : IDisposable
{
    public const string Name = "TrainingSupervisor";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>("gang.failures", "{failure}", "Failures detected");
    private static readonly Counter<long> Recoveries = Meter.CreateCounter<long>("gang.recoveries", "{recovery}", "Recoveries completed");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("gang.recovery.duration", "s", "From the failure to the release of all workers");

    /// <summary>The gauges are read when somebody asks, of every gang that is supervised here.</summary>
    private static readonly ConcurrentDictionary<GangTelemetry, byte> Gangs = new();

    private readonly string _gang;
    private readonly ILogger _log;
    private readonly Func<GangState?> _state;
    private readonly TimeProvider _time;

    static GangTelemetry()
    {
        Meter.CreateObservableGauge("gang.stragglers", () => Read((s, _) => StragglerDetector.Count(s)), "{worker}", "Workers whose own work is slow now");
        Meter.CreateObservableGauge("gang.nodes.quarantined", () => Read((s, now) => Quarantine.Nodes(s, now).Count()), "{node}", "Nodes that new Pods avoid now");
    }

    /// <param name="gang">Its name.</param>
    /// <param name="log">Where its lines go.</param>
    /// <param name="state">Its state; null while this process does not lead it, since whoever does tells of it.</param>
    /// <param name="time">The clock by which a quarantine ends.</param>
    public GangTelemetry(string gang, ILogger log, Func<GangState?> state, TimeProvider time)
    {
        (_gang, _log, _state, _time) = (gang, log, state, time);
        Gangs[this] = 0;
    }

    public void Dispose() => Gangs.TryRemove(this, out _);

    private static IEnumerable<Measurement<int>> Read(Func<GangState, DateTimeOffset, int> of) =>
        from telemetry in Gangs.Keys
        let state = telemetry._state()
        where state is { IsOver: false }
        select new Measurement<int>(of(state, telemetry._time.GetUtcNow()), new KeyValuePair<string, object?>("gang", telemetry._gang));

    public void Observe(GangEvent happened)
    {
        switch (happened)
        {
            case PhaseChanged p:
                Log.Phase(_log, _gang, p.Phase, p.Attempt, p.Reason);
                break;
            case FailureDetected f:
                Log.Failure(_log, _gang, f.Failure, f.Failure.At, f.Failure.SeenBy);
                Failures.Add(1, new KeyValuePair<string, object?>("gang", _gang), new("kind", f.Failure.Kind.ToString()));
                break;
            case RecoveryPlanned p:
                Log.Planned(_log, _gang, p.Plan.Attempt, p.Plan.Summary, p.Plan.Reason, p.Plan.Cause?.ToString() ?? "none");
                break;
            case RecoveryCompleted { Plan.Cause: { } cause } r:
                Completed(r, cause);
                break;
            case GangNotice n:
                Log.Notice(_log, _gang, n.Text);
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
        Log.Recovered(_log, _gang, recovery.Plan.Attempt, seconds, recovery.Cost);
        var tags = new TagList { { "gang", _gang }, { "kind", cause.Kind.ToString() }, { "strategy", recovery.Plan.Strategy.ToString() } };
        Recoveries.Add(1, tags);
        Duration.Record(seconds, tags);

        using var root = Source.StartActivity("gang.recovery", ActivityKind.Internal, default(ActivityContext), tags, startTime: timing.Failed);
        if (root is null) return;
        root.SetTag("attempt", recovery.Plan.Attempt).SetTag("cause", cause.ToString()).SetTag("plan", recovery.Plan.Summary).SetTag("cost", recovery.Cost);
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
