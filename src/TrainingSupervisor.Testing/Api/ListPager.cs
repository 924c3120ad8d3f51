using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;
using Stored = TrainingSupervisor.Testing.Storage.ObjectStore.Stored;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Lists, in pages that all show the moment of the first page.</summary>
internal sealed class ListPager(ObjectStore store)
{
    private const int MaxSnapshots = 64;
    private readonly Lock _gate = new();
    private readonly LinkedList<Snapshot> _snapshots = new();

    /// <summary>Forgets what a continue token needs: the next page gets 410.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _snapshots.Clear();
        }
    }

    public ApiResponse List(ApiCall call)
    {
        var selector = Selector.Parse(call);
        var limit = Limit(call);
        var (items, version, after) = Source(call);
        var matching = items.Where(s => (after is null || string.CompareOrdinal(Start(s), after) > 0) && selector.Matches(s.Object)).ToList();
        string? next = null;
        long? remaining = null;
        if (limit > 0 && matching.Count > limit)
        {
            next = Token(version, Start(matching[limit - 1]));
            remaining = selector.IsEmpty ? matching.Count - limit : null;
            matching.RemoveRange(limit, matching.Count - limit);
            Remember(new(version, call.Type, call.Namespace, items));
        }

        return new(200, Write(call.Type, matching, version, next, remaining));
    }

    /// <summary>Items of a list carry neither kind nor apiVersion, as on the real server.</summary>
    public static ReadOnlyMemory<byte> Write(ResourceType type, List<Stored> items, long version, string? next = null, long? remaining = null)
    {
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (next is not null)
        {
            metadata["continue"] = next;
        }

        if (remaining is not null)
        {
            metadata["remainingItemCount"] = remaining;
        }

        var buffer = new ArrayBufferWriter<byte>(256 + items.Sum(i => i.Bytes.Length + 1));
        Encoding.UTF8.GetBytes($$"""{"kind":"{{type.Kind}}List","apiVersion":"{{type.ApiVersion}}","metadata":""", buffer);
        buffer.Write(Json.Bytes(metadata));
        buffer.Write(",\"items\":["u8);
        var prefix = $$"""{"kind":"{{type.Kind}}","apiVersion":"{{type.ApiVersion}}",""".Length;
        for (var i = 0; i < items.Count; i++)
        {
            buffer.Write(i == 0 ? "{"u8 : ",{"u8);
            buffer.Write(items[i].Bytes.AsSpan(prefix));
        }

        buffer.Write("]}"u8);
        return buffer.WrittenMemory;
    }

    private (List<Stored> Items, long Version, string? After) Source(ApiCall call)
    {
        var token = call.Query["continue"].LastOrDefault();
        if (string.IsNullOrEmpty(token))
        {
            return Fresh(call);
        }

        var (version, after) = ReadToken(token);
        if (version < 0)
        {
            var (current, now) = store.ListStored(call.Type, call.Namespace);
            return (current, now, after);
        }

        lock (_gate)
        {
            if (_snapshots.FirstOrDefault(s => s.Version == version && s.Type == call.Type && s.Namespace == call.Namespace) is { } snapshot)
            {
                return (snapshot.Items, version, after);
            }
        }

        throw ApiError.Expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
            Token(-1, after));
    }

    private (List<Stored> Items, long Version, string? After) Fresh(ApiCall call)
    {
        var (items, version) = store.ListStored(call.Type, call.Namespace);
        var asked = call.Query["resourceVersion"].LastOrDefault();
        if (!string.IsNullOrEmpty(asked))
        {
            var wanted = WatchStream.ParseVersion(asked);
            if (wanted > version)
            {
                throw ApiError.Of(504, "Timeout", $"Timeout: Too large resource version: {wanted}, current: {version}",
                    new JsonObject
                    {
                        ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
                        ["retryAfterSeconds"] = 1,
                    }, retryAfterSeconds: 1);
            }

            if (wanted < version && call.Query["resourceVersionMatch"].LastOrDefault() == "Exact")
            {
                throw ApiError.Expired("The resourceVersion for the provided list is too old.");
            }
        }

        return (items, version, null);
    }

    private void Remember(Snapshot snapshot)
    {
        lock (_gate)
        {
            if (_snapshots.Any(s => s.Version == snapshot.Version && s.Type == snapshot.Type && s.Namespace == snapshot.Namespace))
            {
                return;
            }

            _snapshots.AddLast(snapshot);
            if (_snapshots.Count > MaxSnapshots)
            {
                _snapshots.RemoveFirst();
            }
        }
    }

    private static int Limit(ApiCall call)
    {
        var text = call.Query["limit"].LastOrDefault();
        if (string.IsNullOrEmpty(text))
        {
            return 0;
        }

        return int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var limit)
            ? limit
            : throw ApiError.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
    }

    // A zero byte sorts before every character of a name, so that "a" comes before "a-b" in every namespace.
    private static string Start(Stored stored) => $"{stored.Key.Namespace}\0{stored.Key.Name}";

    private static string Token(long version, string start) => Base64Url.EncodeToString(
        Json.Bytes(new JsonObject { ["v"] = "meta.k8s.io/v1", ["rv"] = version, ["start"] = start }));

    private static (long Version, string Start) ReadToken(string token)
    {
        try
        {
            var content = JsonNode.Parse(Base64Url.DecodeFromChars(token)) as JsonObject;
            if (content.Number("rv") is { } version && content.Text("start") is { } start)
            {
                return (version, start);
            }
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw ApiError.BadRequest($"invalid continue token: continue key is not valid: {e.Message}");
        }

        throw ApiError.BadRequest("invalid continue token: continue key is not valid");
    }

    private sealed record Snapshot(long Version, ResourceType Type, string? Namespace, List<Stored> Items);
}
