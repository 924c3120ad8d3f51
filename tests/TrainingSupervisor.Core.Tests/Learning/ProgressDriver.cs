using System.Collections.Immutable;
using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>
/// A running gang of which only progress is told: the real machine, woken exactly when it asks to be. A recovery is done in one stroke, since
/// it is not what these tests are about.
/// </summary>
internal sealed class ProgressDriver
{
    private DateTimeOffset? _wake;

    public ProgressDriver(GangSpec spec)
    {
        var world = new World(1, spec, nodes: spec.WorldSize + 1);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Running, world.State.Stage);
        State = world.State;
        Now = world.Now;
    }

    public GangState State { get; private set; }
    public DateTimeOffset Now { get; private set; }
    public List<(DateTimeOffset At, Failure Failure)> Found { get; } = [];
    public List<RunCommand> Commands { get; } = [];
    public List<string> Notices { get; } = [];

    public IEnumerable<Failure> Hangs => Found.Select(f => f.Failure).Where(f => f.Kind == FailureKind.Hang);

    public PodState Pod(int rank) => State.Pods[State.Workers[rank]];

    public ProgressSeen Say(int rank, long step, string phase = "", double? own = null) => new(
        Pod(rank).Name, Pod(rank).Uid!, new ProgressObservation(Pod(rank).Target, step, -1, phase, "") { OwnSeconds = own });

    public static CommandRan Answer(RunCommand command, string output) => new(command.Pod, command.PodUid, command.Id, 0, false, output);

    /// <summary>Lets time pass to this moment, and then this arrive.</summary>
    public void At(DateTimeOffset moment, params GangInput[] inputs)
    {
        while (_wake is { } wake && wake < moment) Step(wake, new Tick());
        if (inputs.Length > 0) Step(moment, inputs);
        else if (_wake == moment) Step(moment, new Tick());
        Now = moment;
    }

    public void After(double seconds, params GangInput[] inputs) => At(Now + TimeSpan.FromSeconds(seconds), inputs);

    /// <summary>The supervisor does not run for so long, and reads these first.</summary>
    public void StandStill(TimeSpan time, params GangInput[] first) => Step(Now + time, [new Tick(), .. first]);

    /// <summary>All workers say the same step, at once.</summary>
    public void AllDo(double seconds, long step, string phase = "") =>
        After(seconds, [.. Enumerable.Range(0, State.Workers.Length).Select(rank => Say(rank, step, phase))]);

    /// <summary>These do the same step, at once.</summary>
    public void Do(double seconds, IEnumerable<int> ranks, long step, string phase = "") => After(seconds, [.. ranks.Select(rank => Say(rank, step, phase))]);

    /// <summary>A recovery that begins and ends now, of these workers, or of all.</summary>
    public void NextAttempt(params int[] ranks)
    {
        var names = (ranks.Length == 0 ? State.Workers : [.. ranks.Select(r => State.Workers[r])]).ToHashSet();
        var attempt = State.Attempt + 1;
        State = State with
        {
            Attempt = attempt,
            Stage = Stage.Running,
            Phase = GangPhase.Running,
            StageSince = Now,
            LastAdvance = Now,
            Failures = [],
            Pods = State.Pods.Values.Where(p => names.Contains(p.Name) || ranks.Length == 0).Aggregate(State.Pods, (all, p) => all.SetItem(p.Name, p with
            {
                Target = attempt,
                RanAttempt = attempt,
                ReleasedAttempt = attempt,
                ReleasedAt = Now,
                Agent = p.Agent! with { Attempt = attempt, Phase = AgentPhase.Running },
            })),
        };
        Step(Now, new Tick());
    }

    private void Step(DateTimeOffset now, params GangInput[] inputs)
    {
        var result = GangMachine.Step(State, inputs, now);
        State = result.State;
        Now = now;
        _wake = result.NextWake;
        foreach (var effect in result.Effects)
        {
            if (effect is RunCommand run) Commands.Add(run);
            if (effect is Publish { Event: FailureDetected found }) Found.Add((now, found.Failure));
            if (effect is Publish { Event: GangNotice notice }) Notices.Add(notice.Text);
        }
    }
}
