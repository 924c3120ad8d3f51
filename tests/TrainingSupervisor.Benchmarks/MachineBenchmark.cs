using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using TrainingSupervisor;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

/// <summary>What one step of the machine costs for gangs of several sizes, side by side in one run: what grows with the gang, and how.</summary>
internal sealed class MachineBenchmark
{
    private static readonly int[] Sizes = [10, 100, 1_000, 10_000];

    private readonly GangSpec _spec;
    private GangState _state;
    private DateTimeOffset _now = DateTimeOffset.UnixEpoch;
    private int _instance;

    private MachineBenchmark(int workers)
    {
        _spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(workers).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")).Build();
        _state = GangMachine.Start(_spec, 1, restartsInPlace: true, _now);
    }

    /// <summary>A running gang of this size, all its workers well, and its clock that of the machine at hand.</summary>
    public static GangState Running(int workers)
    {
        var machine = new MachineBenchmark(workers) { _now = DateTimeOffset.UtcNow - TimeSpan.FromHours(3) };
        machine.Begin();
        return machine._state;
    }

    private static int Repeats(int workers) => Math.Clamp(200_000 / workers, 5, 2000);

    public static void Run()
    {
        Console.WriteLine("milliseconds per step, median; and how many times as long as for 1,000 workers");
        Console.WriteLine("workers    nothing new   one reports   all report   failure to plan   all arrive, release");
        var all = Sizes.Select(n => (n, Row: new MachineBenchmark(n).Measure(Repeats(n)))).ToList();
        var reference = all.Single(r => r.n == 1_000).Row;
        foreach (var (n, row) in all)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{n,7} {Cell(0),14} {Cell(1),13} {Cell(2),12} {Cell(3),17} {Cell(4),21}"));
            string Cell(int i) => string.Create(CultureInfo.InvariantCulture, $"{row[i]:0.000} x{row[i] / reference[i]:0.0}");
        }
    }

    private double[] Measure(int repeats)
    {
        Begin();
        var (tick, one, all) = (new List<double>(), new List<double>(), new List<double>());
        for (var i = 1; i <= repeats; i++)
        {
            tick.Add(Step(new Tick()));
            one.Add(Step(Progress(0, i)));
            all.Add(Step([.. Enumerable.Range(0, _spec.WorldSize).Select(rank => (GangInput)Progress(rank, i))]));
        }

        var (plan, release) = (new List<double>(), new List<double>());
        for (var i = 0; i < Math.Max(5, repeats / 20); i++)
        {
            var (p, r) = Recover();
            plan.Add(p);
            release.Add(r);
        }

        return [Median(tick), Median(one), Median(all), Median(plan), Median(release)];
    }

    private void Begin()
    {
        Step(
        [
            .. Enumerable.Range(0, _spec.WorldSize).Select(i => (GangInput)new NodeSeen(new NodeObservation
            {
                Name = $"node-{i}", Ready = true, RestartsInPlace = true, LeaseSeen = _now, LeaseDuration = TimeSpan.FromDays(40),
            })),
            new CacheSynced(),
        ]);
        Step(new RecordSaved(_state.SaveSequence));
        Step([.. _state.Workers.Select((name, rank) => (GangInput)new PodSeen(new PodObservation
        {
            Name = name, Uid = $"uid-{name}", Role = "trainer", Worker = new WorkerId("trainer", rank), Incarnation = 1, Node = $"node-{rank}", Phase = PodPhase.Running,
            Containers = [new ContainerObservation { Name = "worker", State = ContainerState.Running }], RestartsInPlace = true,
        }))]);
        Arrive();
        Runs();
    }

    /// <summary>How long it took from the failure to the plan's record, and from the last arrival to the release; the gather window apart.</summary>
    private (double Plan, double Release) Recover()
    {
        var first = _state.Workers[0];
        var plan = Step(new AgentSeen(first, $"uid-{first}", "trainer", "10.0.0.1", "node-0", Agent(AgentPhase.Exited, _state.Attempt) with { Exit = new WorkerExit { Code = 3, Ended = _now } }));
        _now += _spec.GatherWindow;
        plan += Step(new Tick());
        if (_state.Stage != Stage.Saving) throw new InvalidOperationException($"no plan: {_state.Stage}");
        plan += Step(new RecordSaved(_state.SaveSequence));
        _instance++;
        var release = Arrive();
        Runs();
        return (plan, release);
    }

    private double Arrive() => Step([.. _state.Workers.Select(name => (GangInput)Seen(name, AgentPhase.Waiting, 0))]);

    private void Runs()
    {
        if (_state.Stage != Stage.Releasing) throw new InvalidOperationException($"not released: {_state.Stage}");
        Step([.. _state.Workers.Select(name => (GangInput)Seen(name, AgentPhase.Running, _state.Attempt))]);
        if (_state.Stage != Stage.Running) throw new InvalidOperationException($"it does not run: {_state.Stage}");
        Step(new RecordSaved(_state.SaveSequence));
        _now += TimeSpan.FromHours(2);
    }

    private AgentSeen Seen(string name, AgentPhase phase, int attempt) =>
        new AgentSeen(name, $"uid-{name}", "trainer", "10.0.0.1", $"node-{_state.Pods[name].Worker!.Value.Index}", Agent(phase, attempt));

    private AgentObservation Agent(AgentPhase phase, int attempt) => new() { Instance = $"i-{_instance}", Phase = phase, Attempt = attempt };

    private ProgressSeen Progress(int rank, long step)
    {
        var name = _state.Workers[rank];
        return new ProgressSeen(name, $"uid-{name}", new ProgressObservation(_state.Attempt, step, -1, "", "") { OwnSeconds = 1 });
    }

    private double Step(params IReadOnlyList<GangInput> inputs)
    {
        _now += TimeSpan.FromMilliseconds(100);
        var started = Stopwatch.GetTimestamp();
        _state = GangMachine.Step(_state, inputs, _now).State;
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
