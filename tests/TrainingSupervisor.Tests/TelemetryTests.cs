using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Engine.Learning;

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
        using var telemetry = new GangTelemetry(gang, NullLogger.Instance, () => null, TimeProvider.System);
        telemetry.Observe(Recovered(gang));

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
        using var telemetry = new GangTelemetry(gang, NullLogger.Instance, () => null, TimeProvider.System);
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

    [Fact]
    public void Gauges_NodesInQuarantineAndStragglers_AreThoseOfTheMomentAndOfALivingGangOnly()
    {
        var gang = Guid.NewGuid().ToString("N");
        var time = new FakeTimeProvider(Start);
        var state = GangMachine.Start(Spec(), 1, restartsInPlace: true, Start);
        state = state with
        {
            Quarantined = state.Quarantined
                .Add("node-1", new QuarantinedNode("NodeLost", Start, Start.AddMinutes(5), 1)).Add("node-2", new QuarantinedNode("NodeLost", Start, Start.AddMinutes(60), 1)),
            Progress = state.Progress with { Attempt = state.Attempt, Paces = state.Progress.Paces.SetItem("w", SlowPace(state.Spec.StragglerDetection!)) },
        };
        var leads = true;
        var telemetry = new GangTelemetry(gang, NullLogger.Instance, () => leads ? state : null, time);

        Assert.Equal([("gang.nodes.quarantined", 2), ("gang.stragglers", 1)], Read(gang));
        time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal([("gang.nodes.quarantined", 1), ("gang.stragglers", 1)], Read(gang));
        leads = false;
        Assert.Empty(Read(gang));
        leads = true;
        telemetry.Dispose();
        Assert.Empty(Read(gang));
    }

    private static GangSpec Spec() => Gang.Create("job").AddRole("w", r => r.WithCount(4).WithImage("i").WithCommand("c").WithAgentInImage("/a")).Build();

    /// <summary>One of four takes twice as long as the others.</summary>
    private static RolePace SlowPace(StragglerDetection options)
    {
        var pace = RolePace.Start(4);
        for (var step = 0; step < 40; step++) pace = pace.Judge([(step, 1), (step, 1), (step, 2), (step, 1)], step, Start.AddSeconds(step), options).Next;
        return pace;
    }

    private static List<(string Name, int Value)> Read(string gang)
    {
        var seen = new List<(string, int)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument is { Meter.Name: "TrainingSupervisor", IsObservable: true }) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((i, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new KeyValuePair<string, object?>("gang", gang))) seen.Add((i.Name, value));
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return [.. seen.Order()];
    }

    private static Failure Cause => new(FailureKind.Killed, "ended by signal 9", Start);

    private static RecoveryCompleted Recovered(string gang)
    {
        DateTimeOffset At(int seconds) => Start.AddSeconds(seconds);
        return new RecoveryCompleted(
            gang, At(7), new RecoveryPlan { Attempt = 2, Cause = Cause }, new RecoveryTiming(Start, At(1), At(2), At(3), At(4), At(5), At(6), At(7)));
    }
}
