using TrainingSupervisor.Agent.Worker;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.State;

/// <summary>What the machine wants done. Executed in order.</summary>
internal abstract record Effect
{
    /// <param name="Before">A state that is over by now, and that the supervisor must know of all the same; null for the one of this moment.</param>
    internal sealed record SayState(AgentState? Before = null) : Effect;

    internal sealed record Refuse(string Reason, long Term, int Attempt) : Effect;

    internal sealed record Persist(long Term, int Attempt) : Effect;

    internal sealed record StartWorker(Roster Roster, ReadOnlyMemory<byte> RosterJson, int Rank) : Effect;

    /// <summary>Write the files anew beside a worker that runs on.</summary>
    internal sealed record WriteRoster(Roster Roster, ReadOnlyMemory<byte> RosterJson) : Effect;

    /// <summary>SIGTERM first and SIGKILL after the grace; at once if there is none.</summary>
    internal sealed record EndWorker(TimeSpan Grace, string Reason) : Effect;

    internal sealed record SignalWorker(int Signal) : Effect;

    internal sealed record Quiesce(int Attempt, int Signal, TimeSpan Deadline) : Effect;

    /// <summary>Run a command beside the worker, whether one runs or not.</summary>
    internal sealed record Run(RunCommand Command) : Effect;

    /// <summary>End the agent itself.</summary>
    internal sealed record Leave(int Code) : Effect;
}
