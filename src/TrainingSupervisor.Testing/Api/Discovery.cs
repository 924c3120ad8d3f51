using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Health, version and the lists of what is served.</summary>
internal static class Discovery
{
    private static readonly string[] s_verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// <summary>Paths that need no token.</summary>
    public static ApiResponse? Public(string path, EmbeddedClusterOptions options)
    {
        switch (path.TrimEnd('/'))
        {
            case "/livez" or "/readyz" or "/healthz":
                return ApiResponse.Text(200, "ok");
            case "/version":
                var parts = options.KubernetesVersion.TrimStart('v').Split('.');
                return ApiResponse.Ok(new JsonObject
                {
                    ["major"] = parts[0],
                    ["minor"] = parts.Length > 1 ? parts[1] : "0",
                    ["gitVersion"] = options.KubernetesVersion,
                    ["gitCommit"] = "",
                    ["gitTreeState"] = "clean",
                    ["buildDate"] = "1970-01-01T00:00:00Z",
                    ["goVersion"] = "",
                    ["compiler"] = "",
                    ["platform"] = "linux/amd64",
                });
            default:
                return null;
        }
    }

    public static ApiResponse? Find(string path)
    {
        switch (path.TrimEnd('/'))
        {
            case "/api":
                return ApiResponse.Ok(new JsonObject { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1") });
            case "/apis":
                return ApiResponse.Ok(new JsonObject
                {
                    ["kind"] = "APIGroupList",
                    ["apiVersion"] = "v1",
                    ["groups"] = new JsonArray([.. Groups().Select(g => (JsonNode)Group(g))]),
                });
            case "/api/v1":
                return Resources("", "v1");
            case var other when Groups().FirstOrDefault(g => other == $"/apis/{g}") is { } group:
                return ApiResponse.Ok(Group(group));
            case var other when Groups().FirstOrDefault(g => other == $"/apis/{g}/v1") is { } group:
                return Resources(group, $"{group}/v1");
            default:
                return null;
        }
    }

    private static IEnumerable<string> Groups() => ResourceType.All.Select(t => t.Group).Where(g => g.Length > 0).Distinct();

    private static JsonObject Group(string name)
    {
        static JsonObject Version(string name) => new() { ["groupVersion"] = $"{name}/v1", ["version"] = "v1" };
        return new()
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = name,
            ["versions"] = new JsonArray(Version(name)),
            ["preferredVersion"] = Version(name),
        };
    }

    private static ApiResponse Resources(string group, string version)
    {
        var resources = new JsonArray();
        foreach (var type in ResourceType.All.Where(t => t.Group == group))
        {
            resources.Add(Resource(type.Plural, type.Kind, type.Namespaced, s_verbs));
            if (type == ResourceType.Pods)
            {
                resources.Add(Resource("pods/status", "Pod", true, "get", "patch", "update"));
                resources.Add(Resource("pods/binding", "Binding", true, "create"));
                var eviction = Resource("pods/eviction", "Eviction", true, "create");
                eviction["group"] = "policy";
                eviction["version"] = "v1";
                resources.Add(eviction);
            }
            else if (type == ResourceType.Nodes)
            {
                resources.Add(Resource("nodes/status", "Node", false, "get", "patch", "update"));
            }
        }

        return ApiResponse.Ok(new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = version,
            ["resources"] = resources,
        });
    }

    private static JsonObject Resource(string name, string kind, bool namespaced, params string[] verbs) => new()
    {
        ["name"] = name,
        ["singularName"] = name.Contains('/', StringComparison.Ordinal) ? "" : kind.ToLowerInvariant(),
        ["namespaced"] = namespaced,
        ["kind"] = kind,
        ["verbs"] = new JsonArray([.. verbs.Select(v => (JsonNode)v)]),
    };
}
