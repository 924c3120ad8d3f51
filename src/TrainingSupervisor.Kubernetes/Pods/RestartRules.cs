using k8s.Models;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The gang's policy as restart rules of a sidecar role's containers, so that the kubelet begins a restart in place by itself. Pure.</summary>
internal static class RestartRules
{
    /// <summary>The API's limits for a container.</summary>
    public const int MostRules = 20, MostCodes = 255;

    private const int Codes = 256, Terminated = 143;

    /// <summary>
    /// For the worker's container: the rules of the Pod template first, then ours, one for all codes after which the policy restarts in place. It is
    /// written as the shorter of the two lists, In or NotIn.
    /// </summary>
    /// <exception cref="RejectedException">The template's rules and ours are more than the API takes, or one of the template's is longer.</exception>
    public static IList<V1ContainerRestartRule> ForWorker(GangSpec spec, RoleSpec role, V1Container worker)
    {
        var own = worker.RestartPolicyRules ?? [];
        var path = $"roles[{role.Name}].podTemplate.spec.containers[0].restartPolicyRules";
        for (var i = 0; i < own.Count; i++)
        {
            if (own[i].ExitCodes?.Values?.Count is > MostCodes and var count)
                throw new RejectedException($"{path}[{i}].exitCodes.values: {count} codes; a rule takes at most {MostCodes}, so say it with NotIn or in two rules.");
        }

        var codes = RestartCodes.Of(spec, role);
        if (codes.IsEmpty) return own;
        if (own.Count >= MostRules)
            throw new RejectedException($"{path}: {own.Count} rules; at most {MostRules - 1}, since the gang's policy needs one of the {MostRules} that a container may have.");
        int[] others = [.. Enumerable.Range(0, Codes).Except(codes)];
        return [.. own, others.Length < codes.Length ? Rule("NotIn", others) : Rule("In", [.. codes])];
    }

    /// <summary>For a worker that the agent wraps: the agent's own code, and whatever else it ends with is the worker's end.</summary>
    public static IList<V1ContainerRestartRule> ForWrapper() => [Rule("In", PodFactory.RestartExitCode)];

    /// <summary>
    /// For the sidecar: whatever ends it, unless it was told to, restarts the whole Pod. An agent alone that is new would take its worker, which
    /// still runs, for one that waits.
    /// </summary>
    public static IList<V1ContainerRestartRule> ForSidecar() => [Rule("NotIn", 0, Terminated)];

    private static V1ContainerRestartRule Rule(string @operator, params int[] codes) => new()
    {
        Action = PodFactory.RestartAllContainers,
        ExitCodes = new V1ContainerRestartRuleOnExitCodes { OperatorProperty = @operator, Values = [.. codes.Select(c => (int?)c)] },
    };
}
