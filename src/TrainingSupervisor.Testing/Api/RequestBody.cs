using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Reads request bodies.</summary>
internal static class RequestBody
{
    public static string MediaType(HttpRequest request) =>
        (request.ContentType ?? "").Split(';')[0].Trim().ToLowerInvariant();

    public static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, ct).ConfigureAwait(false);
        return body.ToArray();
    }

    public static JsonObject Object(HttpRequest request, byte[] body, ResourceType type)
    {
        var media = MediaType(request);
        if (media is not ("" or "application/json" or "application/yaml"))
        {
            throw UnsupportedMediaType();
        }

        var obj = Parse(body, media == "application/yaml", type) as JsonObject
            ?? throw ApiError.BadRequest($"the object provided is unrecognized (must be of type {type.Kind})");
        if ((obj.Text("kind") is { } kind && kind != type.Kind) || (obj.Text("apiVersion") is { } version && version != type.ApiVersion))
        {
            throw ApiError.BadRequest(
                $"the object provided is unrecognized (must be of type {type.Kind}): it says {obj.Text("apiVersion")}, Kind={obj.Text("kind")}");
        }

        return obj;
    }

    public static JsonNode Parse(byte[] body, bool yaml, ResourceType? type = null)
    {
        try
        {
            var node = yaml ? FromYaml(body) : JsonNode.Parse(body);
            Touch(node);
            return node ?? throw ApiError.BadRequest("the request has no body");
        }
        catch (Exception e) when (e is JsonException or YamlException or ArgumentException)
        {
            throw ApiError.BadRequest($"the object provided is unrecognized{(type is null ? "" : $" (must be of type {type.Kind})")}: couldn't get version/kind; json parse error: {e.Message}");
        }
    }

    public static ApiError UnsupportedMediaType() => ApiError.Of(415, "UnsupportedMediaType", "415: Unsupported Media Type", []);

    /// <summary>A repeated key shows up only when the object is first read.</summary>
    private static void Touch(JsonNode? node)
    {
        if (node is JsonObject obj)
        {
            foreach (var (_, child) in obj)
            {
                Touch(child);
            }
        }
        else if (node is JsonArray array)
        {
            foreach (var child in array)
            {
                Touch(child);
            }
        }
    }

    private static JsonNode? FromYaml(byte[] body)
    {
        var text = Encoding.UTF8.GetString(body);
        if (text.TrimStart().StartsWith('{'))
        {
            return JsonNode.Parse(text);
        }

        return Convert(new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(text));
    }

    private static JsonNode? Convert(object? value) => value switch
    {
        null => null,
        IDictionary<object, object?> map => new JsonObject(map.Select(p => KeyValuePair.Create($"{p.Key}", Convert(p.Value)))),
        IList<object?> list => new JsonArray(list.Select(Convert).ToArray()),
        string text => text,
        _ => JsonSerializer.SerializeToNode(value, value.GetType()),
    };
}
