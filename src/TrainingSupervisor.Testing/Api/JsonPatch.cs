using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>RFC 6902.</summary>
internal static class JsonPatch
{
    public static JsonObject Apply(JsonObject target, JsonArray operations)
    {
        JsonNode? root = target;
        foreach (var operation in operations.OfType<JsonObject>())
        {
            root = Apply(root!, operation);
        }

        return root as JsonObject ?? throw Rejected();
    }

    private static JsonNode? Apply(JsonNode root, JsonObject operation)
    {
        var path = Pointer(operation.Text("path") ?? throw Rejected());
        switch (operation.Text("op"))
        {
            case "add":
                return Add(root, path, operation["value"]?.DeepClone());
            case "remove":
                Take(root, path);
                return root;
            case "replace":
                if (path.Length > 0)
                {
                    Take(root, path);
                }

                return Add(root, path, operation["value"]?.DeepClone());
            case "move":
                return Add(root, path, Take(root, Pointer(operation.Text("from") ?? throw Rejected())));
            case "copy":
                return Add(root, path, Find(root, Pointer(operation.Text("from") ?? throw Rejected()))?.DeepClone());
            case "test":
                return JsonNode.DeepEquals(Find(root, path), operation["value"]) ? root : throw Rejected();
            default:
                throw Rejected();
        }
    }

    private static string[] Pointer(string text) => text.Length == 0
        ? []
        : [.. text.Split('/')[1..].Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];

    private static JsonNode? Find(JsonNode? node, ReadOnlySpan<string> path)
    {
        foreach (var part in path)
        {
            node = node switch
            {
                JsonObject obj when obj.TryGetPropertyValue(part, out var child) => child,
                JsonArray array => array[Index(array, part, array.Count - 1)],
                _ => throw Rejected(),
            };
        }

        return node;
    }

    private static JsonNode? Add(JsonNode root, string[] path, JsonNode? value)
    {
        if (path.Length == 0)
        {
            return value;
        }

        switch (Find(root, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject obj:
                obj[path[^1]] = value;
                break;
            case JsonArray array:
                array.Insert(path[^1] == "-" ? array.Count : Index(array, path[^1], array.Count), value);
                break;
            default:
                throw Rejected();
        }

        return root;
    }

    private static JsonNode? Take(JsonNode root, string[] path)
    {
        if (path.Length == 0)
        {
            throw Rejected();
        }

        var value = Find(root, path);
        switch (Find(root, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject obj:
                obj.Remove(path[^1]);
                break;
            case JsonArray array:
                array.RemoveAt(Index(array, path[^1], array.Count - 1));
                break;
        }

        return value;
    }

    private static int Index(JsonArray array, string part, int most) =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= most && index <= array.Count
            ? index
            : throw Rejected();

    /// <summary>What the real server says to a failed test or a path that is not there.</summary>
    private static ApiError Rejected() =>
        ApiError.Of(422, "Invalid", "the server rejected our request due to an error in our request", []);
}
