namespace TrainingSupervisor.Testing;

/// <summary>What a request to the API server asks for.</summary>
public record ApiRequestInfo
{
    /// <summary>The Kubernetes verb: get, list, watch, create, update, patch, delete or deletecollection.</summary>
    public required string Verb { get; init; }

    /// <summary>The plural resource, such as <c>pods</c>; for other requests the path, such as <c>/livez</c>.</summary>
    public required string Resource { get; init; }

    /// <summary>The subresource, such as <c>status</c>, or null.</summary>
    public string? Subresource { get; init; }

    /// <summary>The namespace, or null for a request across namespaces.</summary>
    public string? Namespace { get; init; }

    /// <summary>The object's name, or null where the path has none.</summary>
    public string? Name { get; init; }

    /// <summary>The client's user agent.</summary>
    public string UserAgent { get; init; } = "";

    /// <summary>True for every verb that changes something.</summary>
    public bool IsWrite => Verb is "create" or "update" or "patch" or "delete" or "deletecollection";
}
