namespace TrainingSupervisor;

internal static class FailureTraits
{
    /// <summary>How a health system's word was seen (<see cref="Failure.SeenBy"/>).</summary>
    public const string PodAnnotation = "pod annotation", NodeAnnotation = "node annotation";

    /// <summary>The Pod or its node is to blame: the worker needs a new Pod.</summary>
    public static bool BlamesPod(this FailureKind kind) => kind is
        FailureKind.Evicted or FailureKind.Preempted or FailureKind.PodDeleted or FailureKind.NodeLost or FailureKind.AgentLost
        or FailureKind.StartTimeout or FailureKind.BarrierTimeout or FailureKind.ImageUnavailable or FailureKind.InvalidPod
        or FailureKind.Unschedulable or FailureKind.NodeDraining or FailureKind.NodeUnhealthy or FailureKind.RestartStuck;

    /// <summary>Likewise, and an annotation stays on its Pod or Node: a worker that came back there would be reported again.</summary>
    public static bool BlamesPod(this Failure failure) => failure.Kind.BlamesPod() || failure.IsUnfit || failure.SeenBy is PodAnnotation or NodeAnnotation;

    /// <summary>The node is to blame: the new Pod must land elsewhere.</summary>
    public static bool BlamesNode(this FailureKind kind) => kind is
        FailureKind.NodeLost or FailureKind.AgentLost or FailureKind.NodeUnhealthy or FailureKind.NodeDraining;

    /// <summary>Likewise, and what a health system says of the node, whatever kind it names.</summary>
    public static bool BlamesNode(this Failure failure) => failure.Kind.BlamesNode() || failure.IsUnfit || failure.SeenBy == NodeAnnotation;

    /// <summary>Its Pod goes on with it: who is told to ignore it misses nobody at the barrier.</summary>
    public static bool LeavesPod(this FailureKind kind) => kind is
        FailureKind.NodeUnhealthy or FailureKind.NodeDraining or FailureKind.HealthCheckFailed or FailureKind.Straggler or FailureKind.Hang;

    /// <summary>It is announced: there is time to save before the worker has to go.</summary>
    public static bool IsNotice(this FailureKind kind) => kind is FailureKind.NodeDraining or FailureKind.Evicted or FailureKind.Preempted;

    /// <summary>
    /// It may be the node's fault, even if it is not known to be: it counts in the node's budget. What the worker's own program, its limits, the
    /// scheduler or people bring about says nothing of a node.
    /// </summary>
    public static bool MayBlameNode(this FailureKind kind) => kind is
        FailureKind.Killed or FailureKind.UnorderedRestart or FailureKind.Evicted or FailureKind.NodeLost or FailureKind.NodeUnhealthy
        or FailureKind.AgentLost or FailureKind.Hang or FailureKind.Straggler or FailureKind.StartTimeout or FailureKind.BarrierTimeout
        or FailureKind.RestartStuck or FailureKind.HealthCheckFailed;

    /// <summary>
    /// The lower, the likelier a cause rather than a consequence: when one rank dies, its peers fail with errors of their own.
    /// </summary>
    public static int CauseRank(this FailureKind kind) => kind switch
    {
        FailureKind.NodeLost or FailureKind.AgentLost or FailureKind.NodeUnhealthy => 0,
        FailureKind.ImageUnavailable or FailureKind.InvalidPod or FailureKind.StartError => 0,
        FailureKind.OutOfMemory => 1,
        FailureKind.Evicted or FailureKind.Preempted or FailureKind.PodDeleted or FailureKind.NodeDraining => 1,
        FailureKind.Killed => 2,
        FailureKind.HealthCheckFailed => 2,
        FailureKind.ApplicationError => 3,
        // Says only that something happened: whatever else is known of the same moment is the better cause.
        _ => 4,
    };
}
