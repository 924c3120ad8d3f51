using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>Something to be done in the world. Repeating any of them is harmless: each is keyed by gang, attempt and Pod.</summary>
internal abstract record GangEffect;

/// <summary>Write the gang record (compare and swap). Nothing that the record announces may happen before it is saved.</summary>
internal sealed record SaveRecord(long Sequence, GangRecord Record) : GangEffect;

/// <summary>Create this Pod; AlreadyExists is success.</summary>
internal sealed record CreatePod(PodRequest Request) : GangEffect;

/// <summary>Delete with a UID precondition; NotFound and a UID conflict are success. Force: grace 0.</summary>
internal sealed record DeletePod(string Name, string Uid, bool Force) : GangEffect;

internal sealed record RestartWorker(string Pod, string PodUid, int Attempt, bool InPlace, TimeSpan Grace, string Reason) : GangEffect;

/// <summary>Open the barrier for all of these at once. Ranks are by Pod name; the roster is the same for all.</summary>
internal sealed record ReleaseGang(int Attempt, Roster Roster, ImmutableArray<ReleaseTarget> Targets) : GangEffect;

/// <summary>Have the agents of workers that run on in an older attempt write this roster into their files: others have moved.</summary>
internal sealed record TellRoster(Roster Roster, ImmutableArray<ReleaseTarget> Targets) : GangEffect;

internal sealed record ReleaseTarget(string Pod, string PodUid, int Rank);

internal sealed record QuiesceWorker(string Pod, string PodUid, int Attempt, int Signal, TimeSpan Deadline) : GangEffect;

internal sealed record HaltAgent(string Pod, string PodUid, int ExitCode, TimeSpan Grace, string Reason) : GangEffect;

/// <summary>
/// Have the agent run a command of the user's beside the worker and say what came of it (CommandRan). The worker need not run. An agent that
/// is asked for the same id again answers with what it has, and does not run it twice.
/// </summary>
internal sealed record RunCommand(string Pod, string PodUid, string Id, ImmutableArray<string> Command, TimeSpan Timeout) : GangEffect;

/// <summary>Put the gang's taint on this Node, or take it away; already so is success.</summary>
internal sealed record MarkNode(string Node, bool Quarantined) : GangEffect;

/// <summary>Delete the gang record, and with it all that it owns.</summary>
internal sealed record DeleteGang : GangEffect;

/// <summary>Tell the users.</summary>
internal sealed record Publish(GangEvent Event) : GangEffect;

/// <summary>What a Pod is made of, besides the role's template.</summary>
internal sealed record PodRequest
{
    public required string Name { get; init; }
    public required string Role { get; init; }

    /// <summary>Null for a spare.</summary>
    public WorkerId? Worker { get; init; }
    public int Incarnation { get; init; }

    /// <summary>Nodes that the Pod must not land on.</summary>
    public ImmutableArray<string> AvoidNodes { get; init; } = [];

    /// <summary>Labels that the Pod's node must have, beside whatever the role's template asks for: the pool of a spare.</summary>
    public ImmutableSortedDictionary<string, string> NodeSelector { get; init; } = ImmutableSortedDictionary<string, string>.Empty;
}

/// <summary>What the barrier hands out.</summary>
internal sealed record Roster(string Gang, int Attempt, int MasterPort, ImmutableArray<RosterEntry> Workers);

internal sealed record RosterEntry(int Rank, WorkerId Worker, string Pod, string PodUid, string Address, string Node);
