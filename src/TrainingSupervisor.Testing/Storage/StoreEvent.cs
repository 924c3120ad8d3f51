using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing.Storage;

/// <summary>One change of one object. <see cref="Object"/> and <see cref="Previous"/> are shared: never mutate them.</summary>
internal sealed record StoreEvent(WatchType Type, JsonObject Object, long ResourceVersion, JsonObject? Previous)
{
    /// <summary>The object as UTF-8 JSON, serialised once for all watchers.</summary>
    public byte[] Json { get; init; } = [];
}
