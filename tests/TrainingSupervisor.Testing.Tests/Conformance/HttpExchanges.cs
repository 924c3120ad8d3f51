using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>
/// Sends recorded requests and compares the answers: status code, Retry-After, content type, of a Status its reason, message and
/// details, of anything else the set of its fields. Uids, resourceVersions and continue tokens of the recording are replaced by
/// those of this cluster as soon as they are known.
/// </summary>
internal sealed class HttpExchanges(Stage stage)
{
    private readonly Dictionary<string, string> _ours = [];

    /// <summary>Says what stands here for a text of the recording.</summary>
    public void Map(string recorded, string ours) => _ours[recorded] = ours;

    public async Task<IReadOnlyList<string>> PlayAsync(JsonObject exchange)
    {
        var wanted = exchange.At("response")!;
        using var request = Request(exchange.At("request")!);

        // The recordings leave out the administrator's credentials; only the message tells who had none.
        using var anonymous = new HttpClient { BaseAddress = stage.Client.BaseAddress };
        var client = wanted["body"]?.ToJsonString().Contains("system:anonymous", StringComparison.Ordinal) ?? false ? anonymous : stage.Client;
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        var where = $"{request.Method} {request.RequestUri}";
        var differences = new List<string>();
        void Compare(string what, string? recorded, string? ours)
        {
            if (recorded != ours)
            {
                differences.Add($"{where}: {what}\n    recorded: {recorded}\n    here:     {ours}");
            }
        }

        Compare("status", wanted["status"]!.ToString(), ((int)response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Compare("Retry-After", wanted.At("headers").Text("Retry-After"), response.Headers.RetryAfter?.ToString());
        Compare("Content-Type", wanted.At("headers").Text("Content-Type"), response.Content.Headers.ContentType?.ToString());
        if (wanted["body"] is not JsonObject body)
        {
            Compare("body", wanted["body"]?.ToString(), text);
            return differences;
        }

        if (Parse(text) is not { } ours)
        {
            Compare("body", body.ToJsonString(), text);
            return differences;
        }

        if (body.Text("kind") == "Status" && ours.Text("kind") == "Status")
        {
            Compare("reason", body.Text("reason"), ours.Text("reason"));
            Compare("details", Sorted(Replace(body["details"])), Sorted(ours["details"]));
            Compare("message", Message(Replace(body)!.AsObject()), Message(ours));
        }

        Learn(body, ours);
        Compare("fields", string.Join(' ', Fields.Of(body).Except(Fields.Of(ours))), "");
        Compare("more fields", "", string.Join(' ', Fields.Of(ours).Except(Fields.Of(body))));
        return differences;
    }

    private HttpRequestMessage Request(JsonObject recorded)
    {
        var request = new HttpRequestMessage(new(recorded.Text("method")!), Replace(recorded.Text("path")!));
        var headers = recorded.At("headers");
        request.Headers.TryAddWithoutValidation("Accept", headers.Text("Accept"));
        if (headers.Text("Authorization") is { } other)
        {
            request.Headers.Authorization = AuthenticationHeaderValue.Parse(Replace(other));
        }

        if (recorded["body"] is { } body)
        {
            var text = body is JsonValue ? body.GetValue<string>() : body.ToJsonString();
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(Replace(text)));
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(headers.Text("Content-Type") ?? "application/json");
        }

        return request;
    }

    private void Learn(JsonObject recorded, JsonObject ours)
    {
        foreach (var field in (ReadOnlySpan<string>)["uid", "resourceVersion", "continue"])
        {
            if (recorded.At("metadata").Text(field) is { Length: > 0 } theirs && ours.At("metadata").Text(field) is { Length: > 0 } mine)
            {
                _ours[theirs] = mine;
            }
        }
    }

    // A version that is part of another number must stay.
    private string Replace(string text)
    {
        foreach (var (recorded, ours) in _ours)
        {
            text = System.Text.RegularExpressions.Regex.Replace(text, $@"(?<![\w]){System.Text.RegularExpressions.Regex.Escape(recorded)}(?![\w])", ours.Replace("$", "$$", StringComparison.Ordinal));
        }

        return text;
    }

    private JsonNode? Replace(JsonNode? node) => node is null ? null : JsonNode.Parse(Replace(node.ToJsonString()));

    // The difference of two objects, which a real server prints after the first line, is for eyes only.
    // And what Go's parsers say of malformed input is theirs.
    private static string? Message(JsonObject status)
    {
        var line = status.Text("message")?.Split('\n')[0];
        foreach (var parser in (ReadOnlySpan<string>)["json parse error:", "continue key is not valid:"])
        {
            var at = line?.IndexOf(parser, StringComparison.Ordinal) ?? -1;
            line = at < 0 ? line : line![..(at + parser.Length)];
        }

        return line;
    }

    private static JsonObject? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    private static string? Sorted(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject obj:
                return "{" + string.Join(',', obj.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}:{Sorted(p.Value)}")) + "}";
            case JsonArray array:
                return "[" + string.Join(',', array.Select(Sorted)) + "]";
            default:
                return node?.ToString().Split('\n')[0];
        }
    }
}
