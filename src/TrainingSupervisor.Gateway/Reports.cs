using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>What an agent says, as the machine's inputs. Times are put right by what is known of the agent's clock.</summary>
internal static class Reports
{
    /// <summary>Our agent names at most nine.</summary>
    private const int MostAilments = 16;

    /// <summary>A hundred years.</summary>
    private const long LongestMs = 100L * 365 * 24 * 3600 * 1000;

    public static AgentSeen Seen(AgentConnection connection, AgentState state, DateTimeOffset now)
    {
        var hello = connection.Hello;
        return new AgentSeen(hello.PodName, hello.PodUid, hello.Role, hello.PodIp, hello.Node, new AgentObservation
        {
            Instance = hello.Instance,
            Phase = PhaseOf(state.Phase),
            Attempt = Math.Max(0, state.Attempt),
            RosterAttempt = Math.Max(0, state.RosterAttempt),
            Exit = state.Exit is { } exit ? ExitOf(exit, connection.Clock, now) : null,
        });
    }

    public static ProgressSeen Progressed(Hello hello, Progress p) =>
        new(hello.PodName, hello.PodUid, new ProgressObservation(p.Attempt, p.Step, p.Checkpoint, p.Phase, p.Unhealthy)
        {
            // Whatever else it is, NaN included, is no time.
            OwnSeconds = p.HasOwnSeconds && p.OwnSeconds >= 0 && double.IsFinite(p.OwnSeconds) ? p.OwnSeconds : null,
            UnhealthyBy = SourceOf(p.UnhealthyBy),
            Others = p.Others.Count == 0 ? [] : [.. p.Others.Take(MostAilments).Where(o => o.Words.Length > 0).Select(o => new Ailment(o.Words, SourceOf(o.By)))],
        });

    private static UnhealthySource SourceOf(Progress.Types.UnhealthyBy by) => by switch
    {
        Progress.Types.UnhealthyBy.HealthCommand => UnhealthySource.HealthCommand,
        Progress.Types.UnhealthyBy.LogPattern => UnhealthySource.LogPattern,
        _ => UnhealthySource.Worker,
    };

    public static CommandRan Ran(Hello hello, CommandResult result) =>
        new(hello.PodName, hello.PodUid, result.Id, result.ExitCode, result.TimedOut, result.Output);

    public static QuiesceAnswered Quiesced(Hello hello, QuiesceResult result) => new(hello.PodName, hello.PodUid, result.Attempt, result.Saved);

    public static AgentRefused Refused(Hello hello, Refused refused) => new(hello.PodName, hello.PodUid, refused.Reason, refused.Term, refused.Attempt);

    private static AgentPhase PhaseOf(AgentState.Types.Phase phase) => phase switch
    {
        AgentState.Types.Phase.Waiting => AgentPhase.Waiting,
        AgentState.Types.Phase.Running => AgentPhase.Running,
        AgentState.Types.Phase.Exited => AgentPhase.Exited,
        AgentState.Types.Phase.Leaving => AgentPhase.Leaving,
        _ => AgentPhase.Unknown,
    };

    private static Observations.WorkerExit ExitOf(Protocol.WorkerExit exit, ClockOffset clock, DateTimeOffset now) => new()
    {
        Code = exit.Code,
        Signal = exit.Signal,
        StderrTail = exit.StderrTail,
        NotStarted = exit.NotStarted,
        OutOfMemory = exit.OutOfMemory,
        OomKillBefore = exit.OomKillBeforeMs is > 0 and <= LongestMs ? TimeSpan.FromMilliseconds(exit.OomKillBeforeMs) : null,
        PodEnding = exit.PodEnding,
        Started = clock.Correct(exit.StartedUnixMs, now),
        Ended = clock.Correct(exit.EndedUnixMs, now),
    };
}
