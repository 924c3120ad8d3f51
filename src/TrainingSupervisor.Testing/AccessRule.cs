namespace TrainingSupervisor.Testing;

/// <summary>One rule of a Role: what a restricted token may do. <c>*</c> stands for everything.</summary>
/// <param name="Verbs">Verbs such as <c>get</c>, <c>list</c>, <c>watch</c>, <c>create</c>, <c>update</c>, <c>patch</c>, <c>delete</c>.</param>
/// <param name="Resources">Resources and subresources such as <c>pods</c> or <c>pods/eviction</c>.</param>
public sealed record AccessRule(IReadOnlyCollection<string> Verbs, IReadOnlyCollection<string> Resources)
{
    /// <summary>API groups; the core group is the empty string. Default: all.</summary>
    public IReadOnlyCollection<string> ApiGroups { get; init; } = ["*"];

    /// <summary>Namespaces. Default: all, and cluster-wide requests.</summary>
    public IReadOnlyCollection<string> Namespaces { get; init; } = ["*"];

    /// <summary>Names of objects. Default: all.</summary>
    public IReadOnlyCollection<string> ResourceNames { get; init; } = ["*"];

    internal bool Allows(string verb, string group, string resource, string? ns, string? name) =>
        Has(Verbs, verb) && Has(ApiGroups, group) && Has(Resources, resource)
        && Has(Namespaces, ns) && Has(ResourceNames, name);

    private static bool Has(IReadOnlyCollection<string> allowed, string? value) =>
        allowed.Contains("*") || (value is not null && allowed.Contains(value));
}
