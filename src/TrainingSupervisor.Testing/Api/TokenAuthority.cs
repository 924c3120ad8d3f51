using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Bearer tokens and what their owners may do.</summary>
internal sealed class TokenAuthority
{
    private readonly ConcurrentDictionary<string, Identity> _identities = new();

    private static readonly Identity s_anonymous = new("system:anonymous", []);

    public TokenAuthority() => AdminToken = Create("system:admin", [new AccessRule(["*"], ["*"])]);

    public string AdminToken { get; }

    public string Create(string user, IReadOnlyList<AccessRule> rules)
    {
        var token = RandomNumberGenerator.GetHexString(40, lowercase: true);
        _identities[token] = new(user, rules);
        return token;
    }

    /// <summary>Who asks; nobody in particular without a token, who may then do nothing.</summary>
    /// <exception cref="ApiError">401 with an unknown token.</exception>
    public Identity Authenticate(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.Length == 0)
        {
            return s_anonymous;
        }

        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && _identities.TryGetValue(header[7..].Trim(), out var identity)
                ? identity
                : throw ApiError.Of(401, "Unauthorized", "Unauthorized");
    }

    /// <exception cref="ApiError">403 in Kubernetes' own words.</exception>
    public static void Authorize(Identity identity, ApiCall call)
    {
        // For a POST to a collection the name stands in the body only, so rules with names never allow it.
        if (identity.Rules.Any(r => r.Allows(call.Verb, call.Type.Group, call.Resource, call.Namespace, call.Name)))
        {
            return;
        }

        var scope = call.Namespace is null ? "at the cluster scope" : $"in the namespace \"{call.Namespace}\"";
        var subject = call.Name is null ? call.Type.QualifiedPlural : $"{call.Type.QualifiedPlural} \"{call.Name}\"";
        var details = new JsonObject();
        if (call.Name is not null)
        {
            details["name"] = call.Name;
        }

        if (call.Type.Group.Length > 0)
        {
            details["group"] = call.Type.Group;
        }

        details["kind"] = call.Type.Plural;
        throw ApiError.Of(403, "Forbidden",
            $"{subject} is forbidden: User \"{identity.User}\" cannot {call.Verb} resource \"{call.Resource}\" in API group \"{call.Type.Group}\" {scope}",
            details);
    }

    internal sealed record Identity(string User, IReadOnlyList<AccessRule> Rules);
}
