namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Whether new Pods carry the rule RestartAllContainers. A Pod with it is placed only on nodes that declare the feature, so where too few
/// do, a gang that insists on it would not start: then its Pods go without, onto any node, and the agents restart processes.
/// </summary>
/// <param name="UseRule">Whether the rule goes in.</param>
/// <param name="Reason">Why, for people; null where all is as it should be.</param>
internal sealed record RestartChoice(bool UseRule, string? Reason)
{
    /// <param name="refusal">What the API server has against the rule, or null.</param>
    /// <param name="starved">What the scheduler said of a Pod that found no node because of the rule, or null.</param>
    /// <param name="nodes">How many nodes can take Pods, and how many of them declare the feature; zeros when nodes are not known.</param>
    /// <param name="spec">The gang.</param>
    public static RestartChoice Make(string? refusal, string? starved, (int Able, int All) nodes, GangSpec spec)
    {
        if (refusal is not null) return new RestartChoice(false, refusal);
        if (starved is not null) return new RestartChoice(false, $"a Pod that asked for them found no node ({starved})");
        if (nodes.Able == nodes.All) return new RestartChoice(true, null);
        if (nodes.Able == 0) return new RestartChoice(false, $"none of the {nodes.All} nodes declares RestartAllContainersOnContainerExits");
        var needed = spec.Roles.Any(r => r.OnePerNode) ? spec.Roles.Sum(r => r.Count + r.AllSpares) : 1;
        return nodes.Able >= needed
            ? new RestartChoice(true, $"{nodes.Able} of {nodes.All} nodes declare RestartAllContainersOnContainerExits, and the gang keeps to these")
            : new RestartChoice(false, $"only {nodes.Able} of {nodes.All} nodes declare RestartAllContainersOnContainerExits, and the gang needs {needed}");
    }
}
