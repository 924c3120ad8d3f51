using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>States in which the next step has something for a port, whatever wakes it.</summary>
internal static class LoopStates
{
    public static (GangState State, DateTimeOffset Now) Running(Action<GangBuilder>? more = null)
    {
        var world = World.Running(Specs.Gang(2, 0, more).Build());
        return (world.State, world.Now);
    }

    public static string? MethodOf(GangEffect effect) => effect switch
    {
        RestartWorker => nameof(IGangAgents.Restart),
        ReleaseGang => nameof(IGangAgents.Release),
        TellRoster => nameof(IGangAgents.Tell),
        QuiesceWorker => nameof(IGangAgents.Quiesce),
        HaltAgent => nameof(IGangAgents.Halt),
        RunCommand => nameof(IGangAgents.Run),
        _ => null,
    };

    /// <summary>The next step asks for this.</summary>
    public static (GangState State, DateTimeOffset Now) BeforeAgents(string method)
    {
        var (state, now) = Running(method == nameof(IGangAgents.Run) ? g => g.WithHangTimeout(TimeSpan.FromMinutes(1)).WithHangDiagnostics(["py-spy"]) : null);
        return method switch
        {
            nameof(IGangAgents.Restart) => Planned(state, now),
            nameof(IGangAgents.Quiesce) => Planned(state, now, TimeSpan.FromSeconds(9)),
            nameof(IGangAgents.Release) => (First(state with { Stage = Stage.Releasing }, p => p with { Agent = p.Agent! with { Phase = AgentPhase.Waiting, Instance = "new" } }), now),
            nameof(IGangAgents.Tell) => (First(state with { RosterAttempt = 2 }, p => p with { Agent = p.Agent! with { RosterAttempt = 1 } }), now),
            nameof(IGangAgents.Run) => (state with { Progress = state.Progress with { LookedAt = DateTimeOffset.MinValue } }, now.AddHours(1)),
            _ => (state with { Pods = state.Pods.SetItem("old", Old(state, now)) }, now),
        };
    }

    private static PodState Old(GangState state, DateTimeOffset now) => state.Pods[state.Workers[0]] with { Name = "old", Uid = "uid-old", Worker = null, Doomed = true, LastSign = now };

    private static GangState First(GangState state, Func<PodState, PodState> change)
    {
        var pod = state.Pods[state.Workers[0]];
        return state with { Pods = state.Pods.SetItem(pod.Name, change(pod)) };
    }

    /// <summary>A worker has failed, and the plan is in the record.</summary>
    private static (GangState State, DateTimeOffset Now) Planned(GangState state, DateTimeOffset now, TimeSpan quiesce = default)
    {
        var pod = state.Pods[state.Workers[0]];
        state = GangMachine.Step(state, [new FailureReported(new Failure(FailureKind.ApplicationError, "exit code 3", now) { Worker = pod.Worker, Pod = pod.Name })], now).State;
        now += state.Spec.GatherWindow;
        state = GangMachine.Step(state, [new Tick()], now).State;
        return (state with { SavedSequence = state.SaveSequence, Plan = state.Plan! with { QuiesceDeadline = quiesce } }, now);
    }
}
