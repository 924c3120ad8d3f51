using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;

namespace TrainingSupervisor.Tests;

public sealed class TelemetryTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 25, 3, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Observe_Recovery_IsOneTraceWithASpanForEachPart()
    {
        var gang = Guid.NewGuid().ToString("N");
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == "TrainingSupervisor",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = a =>
            {
                lock (spans) spans.Add(a);
            },
        };
        ActivitySource.AddActivityListener(listener);
        new GangTelemetry(gang, NullLogger.Instance).Observe(Recovered(gang));

        List<Activity> trace;
        lock (spans) trace = [.. spans.GroupBy(a => a.TraceId).Single(t => t.Any(a => Equals(a.GetTagItem("gang"), gang)))];
        var root = trace.Single(a => a.OperationName == "gang.recovery");
        Assert.Equal((ActivitySpanId)default, root.ParentSpanId);
        Assert.Equal(TimeSpan.FromSeconds(7), root.Duration);
        Assert.Equal(
            [("detect", 1), ("decide", 1), ("command", 1), ("restart", 1), ("barrier", 1), ("release", 1), ("first step", 1)],
            trace.Where(a => a != root).OrderBy(a => a.StartTimeUtc).Select(a => (a.OperationName, (int)a.Duration.TotalSeconds)));
        Assert.All(trace.Where(a => a != root), a => Assert.Equal(root.SpanId, a.ParentSpanId));
    }

    [Fact]
    public void Observe_FailureAndRecovery_AreCountedByKind()
    {
        var gang = Guid.NewGuid().ToString("N");
        var seen = new List<(string Name, double Value, string? Kind)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "TrainingSupervisor") l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Note(i, value, tags));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Note(i, value, tags));
        listener.Start();
        var telemetry = new GangTelemetry(gang, NullLogger.Instance);
        telemetry.Observe(new FailureDetected(gang, Start, Cause));
        telemetry.Observe(Recovered(gang));

        lock (seen) Assert.Equal([("gang.failures", 1, "Killed"), ("gang.recoveries", 1, "Killed"), ("gang.recovery.duration", 6, "Killed")], seen);

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            string? kind = null;
            var mine = false;
            foreach (var (key, what) in tags)
            {
                mine |= key == "gang" && Equals(what, gang);
                if (key == "kind") kind = what?.ToString();
            }

            if (!mine) return;
            lock (seen) seen.Add((instrument.Name, value, kind));
        }
    }

    private static Failure Cause => new(FailureKind.Killed, "ended by signal 9", Start);

    private static RecoveryCompleted Recovered(string gang)
    {
        DateTimeOffset At(int seconds) => Start.AddSeconds(seconds);
        return new RecoveryCompleted(
            gang, At(7), new RecoveryPlan { Attempt = 2, Cause = Cause }, new RecoveryTiming(Start, At(1), At(2), At(3), At(4), At(5), At(6), At(7)));
    }
}
