namespace TrainingSupervisor;

/// <summary>What kind of thing broke. Each has one meaning and one default (docs/recovery-decisions.md).</summary>
public enum FailureKind
{
    /// <summary>The worker exited with a code other than 0.</summary>
    ApplicationError,

    /// <summary>The worker was ended by a signal that nobody here sent.</summary>
    Killed,

    /// <summary>The Pod's containers were restarted, nobody here ordered it, and the exit that caused it was not seen: cause unknown.</summary>
    UnorderedRestart,

    /// <summary>The kernel ended the worker, or a child of it, for want of memory.</summary>
    OutOfMemory,

    /// <summary>The image cannot be had.</summary>
    ImageUnavailable,

    /// <summary>Kubernetes refuses the Pod as it is described.</summary>
    InvalidPod,

    /// <summary>The worker's command cannot be started.</summary>
    StartError,

    /// <summary>The Pod was evicted from its node.</summary>
    Evicted,

    /// <summary>The Pod gave way to one of higher priority.</summary>
    Preempted,

    /// <summary>The Pod was deleted, and not by this supervisor.</summary>
    PodDeleted,

    /// <summary>The node is about to go: a cordon, a drain, a spot or shutdown notice, planned maintenance. The worker still trains.</summary>
    NodeDraining,

    /// <summary>The node is gone, or cut off: its agent is silent and so is its kubelet.</summary>
    NodeLost,

    /// <summary>The node says of itself that it is broken: a condition by name, a taint, or a health system's annotation.</summary>
    NodeUnhealthy,

    /// <summary>The agent has been silent for the whole fence period and its Pod is not accounted for.</summary>
    AgentLost,

    /// <summary>No worker has done a step for too long.</summary>
    Hang,

    /// <summary>A worker's own work, not its waiting, takes persistently longer than its peers'.</summary>
    Straggler,

    /// <summary>A Pod was not at the barrier by the deadline of the first start.</summary>
    StartTimeout,

    /// <summary>A Pod was not at the barrier by the deadline of a recovery.</summary>
    BarrierTimeout,

    /// <summary>A restart in place was ordered, and the Pod's containers did not come back.</summary>
    RestartStuck,

    /// <summary>No node fits the Pod.</summary>
    Unschedulable,

    /// <summary>The worker, or a user's own check, says that it is unhealthy.</summary>
    HealthCheckFailed,
}
