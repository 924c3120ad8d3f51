using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Something that wakes the machine. Each carries the whole of what it is about, so any may be lost or repeated.</summary>
internal abstract record GangInput
{
    /// <summary>
    /// Nobody is worse off if this is seen <see cref="Pace.Longest"/> later, together with others of its kind. Whatever may tell of a failure, an
    /// arrival or an answer is not such; nor is the view of the Leases, by which a node is found lost.
    /// </summary>
    public virtual bool CanWait => false;
}

internal sealed record PodSeen(PodObservation Pod) : GangInput;

internal sealed record PodGone(string Name, string Uid) : GangInput;

internal sealed record NodeSeen(NodeObservation Node) : GangInput;

internal sealed record NodeGone(string Name) : GangInput;

/// <summary>
/// Every change of a node's Lease until this moment, by our clock, has been told. A Lease that has not changed since can be judged late as of
/// then and no further: while the API server is away this stands still, and silence says nothing about a node. At most once a second.
/// </summary>
internal sealed record LeaseViewSeen(DateTimeOffset FreshUntil) : GangInput;

/// <summary>The agent in this Pod has a stream to us and says this of itself.</summary>
internal sealed record AgentSeen(string Pod, string PodUid, string Role, string Address, string Node, AgentObservation Agent) : GangInput;

/// <summary>The agent's stream has ended or fallen silent. <paramref name="LastSign"/> is when we last heard from it, by our clock.</summary>
internal sealed record AgentGone(string Pod, string PodUid, string Instance, DateTimeOffset LastSign) : GangInput;

internal sealed record ProgressSeen(string Pod, string PodUid, ProgressObservation Progress) : GangInput
{
    /// <summary>Steps, phases and checkpoints are learned from, over seconds; what a worker says of its health is answered.</summary>
    public override bool CanWait => Progress.Unhealthy.Length == 0;
}

internal sealed record QuiesceAnswered(string Pod, string PodUid, int Attempt, bool Saved) : GangInput;

/// <summary>What came of a RunCommand: the exit code (128 + signal for a signal, -1 if it could not be started) and the last 16 KiB of its output.</summary>
internal sealed record CommandRan(string Pod, string PodUid, string Id, int ExitCode, bool TimedOut, string Output) : GangInput;

internal sealed record AgentRefused(string Pod, string PodUid, string Reason, long Term, int Attempt) : GangInput;

/// <summary>The first full list of Pods and Nodes is in: what is not known now is not there.</summary>
internal sealed record CacheSynced : GangInput;

/// <summary>The release of this attempt has been handed to the agents' streams.</summary>
internal sealed record ReleaseSent(int Attempt) : GangInput;

internal sealed record RecordSaved(long Sequence) : GangInput;

/// <summary>An effect failed for good (retries are over) or was refused.</summary>
internal sealed record EffectFailed(GangEffect Effect, string Error, bool Fatal) : GangInput;

internal sealed record StopRequested(string Reason) : GangInput;

/// <summary>The workers that a shrunk gang does without are wanted back.</summary>
internal sealed record GrowRequested : GangInput;

internal sealed record FailureReported(Failure Failure) : GangInput;

internal sealed record Tick : GangInput;
