using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing.Storage;

/// <summary>Small readers over Kubernetes objects.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Bytes(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, s_options);

    public static JsonObject? At(this JsonObject? obj, string name) => obj?[name] as JsonObject;

    public static string? Text(this JsonObject? obj, string name) =>
        obj?[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    public static long? Number(this JsonObject? obj, string name)
    {
        if (obj?[name] is not JsonValue value || value.GetValueKind() != JsonValueKind.Number)
        {
            return null;
        }

        return value.TryGetValue(out long whole) ? whole : value.TryGetValue(out int small) ? small : null;
    }

    public static JsonArray? Items(this JsonObject? obj, string name) => obj?[name] as JsonArray;

    public static JsonObject Metadata(this JsonObject obj) => obj.Ensure("metadata");

    public static string Name(this JsonObject obj) => obj.At("metadata").Text("name") ?? "";

    public static string? Namespace(this JsonObject obj) => obj.At("metadata").Text("namespace");

    public static string? Uid(this JsonObject obj) => obj.At("metadata").Text("uid");

    public static JsonObject Ensure(this JsonObject obj, string name)
    {
        if (obj[name] is not JsonObject child)
        {
            child = [];
            obj[name] = child;
        }

        return child;
    }

    public static JsonObject Clone(this JsonObject obj) => (JsonObject)obj.DeepClone();

    /// <summary>A metav1.Time: whole seconds in UTC.</summary>
    public static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>
    /// Serialises and parses once, so that every number is readable as any number type, and walks the tree, because
    /// nodes that are parsed lazily are not safe to read from several threads.
    /// </summary>
    public static (JsonObject Object, byte[] Bytes) Freeze(JsonObject obj)
    {
        var bytes = Bytes(obj);
        var frozen = (JsonObject)JsonNode.Parse(bytes)!;
        Touch(frozen);
        return (frozen, bytes);
    }

    private static void Touch(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject obj:
                foreach (var (_, child) in obj)
                {
                    Touch(child);
                }

                break;
            case JsonArray array:
                foreach (var child in array)
                {
                    Touch(child);
                }

                break;
        }
    }
}
