using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>What a Node says of trouble to come or at hand: conditions by name, taints, a cordon, a health system's annotation.</summary>
internal static class NodeSigns
{
    /// <summary>Conditions and taints as their makers document them: node-problem-detector, cloud providers' agents, autoscalers, the kubelet.</summary>
    public static readonly NodeSign[] BuiltIn =
    [
        // node-problem-detector
        Broken("KernelDeadlock"), Broken("ReadonlyFilesystem"), Broken("XfsShutdown"), Broken("CperHardwareErrorFatal"),
        // the node problem detector of AKS
        Broken("GPUMissing"), Broken("NVLinkStatusInactive"), Broken("XIDHWSWErrors"), Broken("UnhealthyNvidiaDevicePlugin"), Broken("IBLinkFlapping"),
        Going("PreemptScheduled"), Going("TerminateScheduled"), Going("RebootScheduled"), Going("RedeployScheduled"),
        // the node monitoring agent of EKS: its conditions are good when true
        Broken("AcceleratedHardwareReady", bad: false), Broken("KernelReady", bad: false), Broken("StorageReady", bad: false), Broken("ContainerRuntimeReady", bad: false),
        Taint("node.kubernetes.io/out-of-service", FailureKind.NodeUnhealthy),
        // a spot or shutdown notice
        Taint("cloud.google.com/impending-node-termination"),
        Taint("aws-node-termination-handler/spot-itn"),
        Taint("aws-node-termination-handler/scheduled-maintenance"),
        Taint("aws-node-termination-handler/asg-lifecycle-termination"),
        Taint("karpenter.sh/disrupted"), Taint("karpenter.sh/disruption"),
        Taint("ToBeDeletedByClusterAutoscaler"),
    ];

    /// <summary>The gravest sign on this node, or null.</summary>
    public static FoundSign? Of(GangSpec spec, NodeObservation node)
    {
        if (ReportedFailure.OfNode(node.Reported) is { } reported)
        {
            return new FoundSign(reported.Kind, $"a health system reports: {reported.Evidence}", FailureTraits.NodeAnnotation, IsUrgent: true);
        }

        FoundSign? found = null;
        foreach (var sign in spec.NodeSigns.IsEmpty ? BuiltIn : [.. spec.NodeSigns, .. BuiltIn])
        {
            if (found is { Kind: FailureKind.NodeUnhealthy }) break;
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
            if (condition.Type == sign.Name && condition.Status == sign.BadStatus)
            {
                return $"the node's condition {condition.Type} is {condition.Status}: {condition.Reason} {condition.Message}".TrimEnd();
            }
        }

        return null;
    }

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
