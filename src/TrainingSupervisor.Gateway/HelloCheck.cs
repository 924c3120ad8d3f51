using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>What is wrong with a hello. An agent with the right token may still be of another build, or mis-wired.</summary>
internal static class HelloCheck
{
    /// <summary>Kubernetes names are no longer than this.</summary>
    private const int Longest = 253;

    public static string? Problem(Hello hello, GangSpec spec)
    {
        if (hello.Gang != spec.Name || hello.Namespace != spec.Namespace)
        {
            return $"the hello is of gang '{Short(hello.Gang)}' in namespace '{Short(hello.Namespace)}', the connection of gang '{spec.Name}' in '{spec.Namespace}'";
        }

        List<string> missing = [], tooLong = [];
        Text("pod_name", hello.PodName);
        Text("pod_uid", hello.PodUid);
        Text("instance", hello.Instance);
        Text("role", hello.Role);
        Text("pod_ip", hello.PodIp, required: false);
        Text("node", hello.Node, required: false);
        if (hello.State is null) missing.Add("state");
        if (missing.Count > 0) return $"the hello lacks {string.Join(", ", missing)}";
        if (tooLong.Count > 0) return $"the hello's {string.Join(", ", tooLong)} is longer than {Longest} characters";
        if (spec.Roles.All(r => r.Name != hello.Role)) return $"gang '{spec.Name}' has no role '{Short(hello.Role)}'";
        if (hello.Term < 0 || hello.State!.Attempt < 0) return "the hello's term or attempt is negative";
        return hello.State.Phase is AgentState.Types.Phase.Unknown || !Enum.IsDefined(hello.State.Phase)
            ? $"the hello's phase {(int)hello.State.Phase} is unknown here"
            : null;

        void Text(string name, string value, bool required = true)
        {
            if (value.Length == 0 && required) missing.Add(name);
            if (value.Length > Longest) tooLong.Add(name);
        }
    }

    private static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
