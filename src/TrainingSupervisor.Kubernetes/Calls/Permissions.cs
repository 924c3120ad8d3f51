namespace TrainingSupervisor.Kubernetes;

/// <summary>All that this room ever asks of the API. deploy/role.yaml grants it, and a test holds the two together.</summary>
internal static class Permissions
{
    /// <summary>The namespace where kubelets keep their nodes' Leases.</summary>
    public const string NodeLeases = "kube-node-lease";

    private static readonly (string Group, string Resource, bool ClusterWide, string? Namespace, string[] Verbs)[] Table =
    [
        // get: to see whose Pod has the name that we want.
        ("", "pods", false, null, ["get", "create", "delete", "list", "watch"]),
        ("", "configmaps", false, null, ["get", "create", "update", "delete"]),
        ("", "secrets", false, null, ["get", "create", "update"]),
        // get and update: to take over what an older gang of the same name has left.
        ("", "services", false, null, ["get", "create", "update"]),
        ("coordination.k8s.io", "leases", false, null, ["get", "create", "update"]),
        ("", "nodes", true, null, ["list", "watch"]),
        ("coordination.k8s.io", "leases", false, NodeLeases, ["list", "watch"]),
    ];

    /// <summary>Asked for only by gangs that mark nodes in quarantine; deploy/role-quarantine.yaml grants it.</summary>
    private static readonly (string Group, string Resource, bool ClusterWide, string? Namespace, string[] Verbs) Marks = ("", "nodes", true, null, ["get", "patch"]);

    public static IEnumerable<Permission> ToMarkNodes => Marks.Verbs.Select(verb => new Permission(verb, Marks.Resource, "", Marks.Group, Marks.ClusterWide));

    /// <summary>All of them, for gangs in a namespace.</summary>
    public static IEnumerable<Permission> All(string ns) =>
        Table.SelectMany(row => row.Verbs.Select(verb => new Permission(verb, row.Resource, row.ClusterWide ? "" : row.Namespace ?? ns, row.Group, row.ClusterWide)));

    /// <summary>One of them; what is not in the table cannot be asked for.</summary>
    public static Permission Of(string verb, string resource, string ns = "")
    {
        foreach (var row in Table.Append(Marks))
        {
            if (row.Resource != resource || (row.Namespace ?? ns) != ns || !row.Verbs.Contains(verb)) continue;
            return new Permission(verb, resource, ns, row.Group, row.ClusterWide);
        }

        throw new InvalidOperationException($"'{verb} {resource}' is not in the table of permissions.");
    }
}
