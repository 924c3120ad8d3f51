using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>What a Node says of trouble to come or at hand: conditions by name, taints, a cordon, a health system's annotation.</summary>
internal static class NodeSigns
{
    /// <summary>AKS announces every kind of planned event with this one condition, whose message begins with which.</summary>
    private const string AnyPlannedEvent = "VMEventScheduled";

    /// <summary>After those a VM is not what it was. A Freeze is a pause of seconds, and passes.</summary>
    private static readonly string[] EndingEvents = ["Preempt", "Terminate", "Reboot", "Redeploy"];

    /// <summary>Conditions and taints by the names that their makers give them: node-problem-detector, cloud providers' agents, autoscalers.</summary>
    public static readonly NodeSign[] BuiltIn =
    [
        // kubernetes/node-problem-detector, config/kernel-monitor.json
        Broken("KernelDeadlock"), Broken("ReadonlyFilesystem"), Broken("XfsShutdown"), Broken("CperHardwareErrorFatal"),
        // learn.microsoft.com/azure/aks/node-problem-detector, the permanent problems of GPU nodes
        Broken("GPUMissing"), Broken("NVLinkStatusInactive"), Broken("XIDErrors"), Broken("UnhealthyNvidiaDevicePlugin"), Broken("IBLinkFlapping"),
        // The same; Azure/karpenter-provider-azure, pkg/controllers/.../interruption; and, as AKS named them before, conditions of their own
        Going("PreemptionScheduled"), Going(AnyPlannedEvent),
        Going("PreemptScheduled"), Going("TerminateScheduled"), Going("RebootScheduled"), Going("RedeployScheduled"),
        // docs.aws.amazon.com/eks/latest/userguide/node-health-nma.html, aws/eks-node-monitoring-agent: good when true
        Broken("AcceleratedHardwareReady", bad: false), Broken("KernelReady", bad: false), Broken("StorageReady", bad: false), Broken("ContainerRuntimeReady", bad: false),
        // kubernetes.io/docs/reference/labels-annotations-taints
        Taint("node.kubernetes.io/out-of-service", FailureKind.NodeUnhealthy),
        // A spot or shutdown notice: GKE's maintenance-handler; aws/aws-node-termination-handler, pkg/node/node.go
        Taint("cloud.google.com/impending-node-termination"),
        Taint("aws-node-termination-handler/spot-itn"),
        Taint("aws-node-termination-handler/scheduled-maintenance"),
        Taint("aws-node-termination-handler/asg-lifecycle-termination"),
        // kubernetes-sigs/karpenter, pkg/apis/v1/taints.go and v1beta1; kubernetes/autoscaler, cluster-autoscaler/utils/taints
        Taint("karpenter.sh/disrupted"), Taint("karpenter.sh/disruption"),
        Taint("ToBeDeletedByClusterAutoscaler"),
    ];

    /// <summary>The gravest sign on this node, or null.</summary>
    public static FoundSign? Of(GangSpec spec, NodeObservation node)
    {
        var own = OwnSign(spec, node);
        // A health system knows more than a condition does, but what it calls slow may be broken besides.
        return ReportedFailure.OfNode(node.Reported) is { } reported && (own is null || reported.Kind.CauseRank() <= own.Kind.CauseRank())
            ? new FoundSign(reported.Kind, $"a health system reports: {reported.Evidence}", FailureTraits.NodeAnnotation, IsUrgent: true)
            : own;
    }

    /// <summary>What says that this node is about to go, whatever else it says; or null.</summary>
    public static FoundSign? GoingOf(GangSpec spec, NodeObservation node) => OwnSign(spec, node, onlyGoing: true);

    private static FoundSign? OwnSign(GangSpec spec, NodeObservation node, bool onlyGoing = false)
    {
        FoundSign? found = null;
        foreach (var sign in spec.NodeSigns.IsEmpty ? BuiltIn : [.. spec.NodeSigns, .. BuiltIn])
        {
            if (found is { Kind: FailureKind.NodeUnhealthy }) break;
            if (onlyGoing && sign.Kind != FailureKind.NodeDraining) continue;
            if (Matches(sign, node) is not { } evidence || (found is not null && sign.Kind == FailureKind.NodeDraining)) continue;
            found = new FoundSign(sign.Kind, evidence, sign.IsTaint ? "node taint" : "node condition", IsUrgent: true);
        }

        if (found is not null) return found;
        if (node.Deleted) return new FoundSign(FailureKind.NodeDraining, "the Node object was deleted, and its Pods will be", "node", IsUrgent: true);
        // The kubelet's graceful shutdown says so in the message of Ready, while it ends Pods.
        if (node is { Ready: false, ReadyMessage: { } message } && message.Contains("node is shutting down", StringComparison.OrdinalIgnoreCase))
        {
            return new FoundSign(FailureKind.NodeDraining, $"the node shuts down: {message}", "node condition", IsUrgent: true);
        }

        // A cordon alone sets no deadline: there is time to make the replacement ready first.
        return node.Unschedulable ? new FoundSign(FailureKind.NodeDraining, "the node was cordoned", "node", IsUrgent: false) : null;
    }

    private static string? Matches(NodeSign sign, NodeObservation node)
    {
        if (sign.IsTaint)
        {
            foreach (var taint in node.Taints)
            {
                if (taint.Length > sign.Name.Length && taint[sign.Name.Length] == ':' && taint.StartsWith(sign.Name, StringComparison.Ordinal)) return $"the node has the taint {taint}";
            }

            return null;
        }

        foreach (var condition in node.Conditions)
        {
            if (condition.Type == sign.Name && condition.Status == sign.BadStatus && !Passes(condition))
            {
                return $"the node's condition {condition.Type} is {condition.Status}: {condition.Reason} {condition.Message}".TrimEnd();
            }
        }

        return null;
    }

    private static bool Passes(NodeCondition condition) =>
        condition.Type == AnyPlannedEvent && !EndingEvents.Any(e => condition.Message.StartsWith(e, StringComparison.OrdinalIgnoreCase));

    private static NodeSign Broken(string condition, bool bad = true) => new(FailureKind.NodeUnhealthy, condition, IsTaint: false, bad);

    private static NodeSign Going(string condition) => new(FailureKind.NodeDraining, condition, IsTaint: false);

    private static NodeSign Taint(string key, FailureKind kind = FailureKind.NodeDraining) => new(kind, key, IsTaint: true);
}

/// <summary>A sign that a node shows.</summary>
/// <param name="Kind">NodeUnhealthy or NodeDraining, or what the annotation names.</param>
/// <param name="Evidence">For a person.</param>
/// <param name="SeenBy">Where.</param>
/// <param name="IsUrgent">The node goes soon, by its own plan: a worker must not wait for its replacement.</param>
internal sealed record FoundSign(FailureKind Kind, string Evidence, string SeenBy, bool IsUrgent);
