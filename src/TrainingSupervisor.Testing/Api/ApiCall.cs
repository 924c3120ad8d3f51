using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>A request for a resource, as its path and method say it.</summary>
internal sealed record ApiCall(
    string Verb, ResourceType Type, string? Namespace, string? Name, string? Subresource, IQueryCollection Query)
{
    public string Resource => Subresource is null ? Type.Plural : $"{Type.Plural}/{Subresource}";

    public bool DryRun => Query["dryRun"].Contains("All");

    /// <summary>Returns null when the path names no resource that is served here.</summary>
    /// <exception cref="ApiError">405 when the method does not fit the path.</exception>
    public static ApiCall? Parse(HttpRequest request)
    {
        var parts = (request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        var (group, rest) = parts switch
        {
            ["api", "v1", .. var tail] => ("", tail),
            ["apis", var name, "v1", .. var tail] => (name, tail),
            _ => (null, []),
        };
        if (group is null || rest.Length == 0)
        {
            return null;
        }

        string? ns = null;
        if (rest is ["namespaces", var space, var plural, ..] && plural is not ("status" or "finalize"))
        {
            ns = space;
            rest = rest[2..];
        }

        var type = ResourceType.All.FirstOrDefault(t => t.Group == group && t.Plural == rest[0]);
        if (type is null || rest.Length > 3 || (ns is not null && !type.Namespaced))
        {
            return null;
        }

        var named = rest.Length > 1 ? rest[1] : null;
        var sub = rest.Length > 2 ? rest[2] : null;
        if (named is not null && type.Namespaced && ns is null)
        {
            return null;
        }

        return new(VerbOf(request, named, sub), type, ns, named, sub, request.Query);
    }

    private static string VerbOf(HttpRequest request, string? name, string? sub) => (request.Method, name, sub) switch
    {
        ("GET" or "HEAD", null, _) => Flag(request.Query, "watch") ? "watch" : "list",
        ("GET" or "HEAD", _, null) when Flag(request.Query, "watch") => "watch",
        ("GET" or "HEAD", _, _) => "get",
        ("POST", null, _) or ("POST", _, not null) => "create",
        ("PUT", not null, _) => "update",
        ("PATCH", not null, _) => "patch",
        ("DELETE", not null, null) => "delete",
        ("DELETE", null, _) => "deletecollection",
        _ => throw ApiError.Of(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []),
    };

    public static bool Flag(IQueryCollection query, string name) => query[name].LastOrDefault() is "1" or "true" or "True";
}
