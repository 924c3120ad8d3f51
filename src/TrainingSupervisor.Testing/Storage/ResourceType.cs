namespace TrainingSupervisor.Testing.Storage;

/// <summary>A kind of object that the embedded API server stores.</summary>
internal sealed record ResourceType(string Group, string Version, string Kind, string Plural, bool Namespaced)
{
    public static readonly ResourceType Pods = new("", "v1", "Pod", "pods", true);
    public static readonly ResourceType Nodes = new("", "v1", "Node", "nodes", false);
    public static readonly ResourceType ConfigMaps = new("", "v1", "ConfigMap", "configmaps", true);
    public static readonly ResourceType Secrets = new("", "v1", "Secret", "secrets", true);
    public static readonly ResourceType Services = new("", "v1", "Service", "services", true);
    public static readonly ResourceType Leases = new("coordination.k8s.io", "v1", "Lease", "leases", true);
    public static readonly ResourceType Events = new("", "v1", "Event", "events", true);
    public static readonly ResourceType Namespaces = new("", "v1", "Namespace", "namespaces", false);
    public static readonly ResourceType ServiceAccounts = new("", "v1", "ServiceAccount", "serviceaccounts", true);

    public static readonly ResourceType PriorityClasses = new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false);

    public static readonly ResourceType DisruptionBudgets = new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true);

    public static IReadOnlyList<ResourceType> All { get; } =
        [Pods, Nodes, ConfigMaps, Secrets, Services, Leases, Events, Namespaces, ServiceAccounts, PriorityClasses, DisruptionBudgets];

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The resource as Kubernetes writes it in messages: <c>pods</c>, <c>leases.coordination.k8s.io</c>.</summary>
    public string QualifiedPlural => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>The kind as Kubernetes writes it in messages: <c>Pod</c>, <c>Lease.coordination.k8s.io</c>.</summary>
    public string QualifiedKind => Group.Length == 0 ? Kind : $"{Kind}.{Group}";
}
