using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>Objects as JSON, watch events as lines. Each is parsed once, from its bytes.</summary>
/// <param name="read">From an object, its name and its UID to what is kept of it; null for one that is not ours.</param>
internal sealed class JsonFormat<T>(Func<JsonElement, string, string, T?> read) : IObjectFormat<T>
    where T : class
{
    public string MediaType => "application/json";

    public int FrameLength(ReadOnlySpan<byte> buffer, int seen)
    {
        var end = buffer[seen..].IndexOf((byte)'\n');
        return end < 0 ? 0 : seen + end + 1;
    }

    public WatchEvent<T> ReadEvent(ReadOnlyMemory<byte> frame)
    {
        using var json = JsonDocument.Parse(frame);
        var item = Json.Get(json.RootElement, "object"u8);
        return Json.Text(json.RootElement, "type"u8) switch
        {
            "ADDED" or "MODIFIED" => Object(WatchEventKind.Changed, item),
            "DELETED" => Object(WatchEventKind.Deleted, item),
            "BOOKMARK" => new WatchEvent<T>(WatchEventKind.Bookmark, Version(Json.Get(item, "metadata"u8)), "", "", null),
            "ERROR" => throw ApiStatusException.FromStatus(item),
            var type => throw new JsonException($"a watch event of the unknown type '{type}'"),
        };
    }

    public async Task<ListPage<T>> ReadListAsync(Stream body, CancellationToken cancellationToken)
    {
        using var json = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        var meta = Json.Get(json.RootElement, "metadata"u8);
        var version = Version(meta);
        if (version == 0) throw new JsonException("a list without a resourceVersion");
        var items = new List<WatchEvent<T>>();
        foreach (var item in Json.List(json.RootElement, "items"u8)) items.Add(Object(WatchEventKind.Changed, item));
        return new ListPage<T>(version, Json.Text(meta, "continue"u8) is { Length: > 0 } token ? token : null, items);
    }

    private WatchEvent<T> Object(WatchEventKind kind, JsonElement item)
    {
        var meta = Json.Get(item, "metadata"u8);
        var name = Json.Interned(meta, "name"u8) ?? throw new JsonException("an object without a name");
        var uid = Json.Interned(meta, "uid"u8) ?? "";
        return new WatchEvent<T>(kind, Version(meta), name, uid, read(item, name, uid));
    }

    private static ulong Version(JsonElement meta) => Json.Digits(meta, "resourceVersion"u8);
}
