using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace TrainingSupervisor.Testing.Storage;

/// <summary>
/// What etcd is to a real cluster: all objects, one global resourceVersion, a window of history, and watches.
/// Objects that it hands out are shared and must not be mutated; clone them to change them.
/// </summary>
internal sealed partial class ObjectStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceType, Bucket> _buckets = ResourceType.All.ToDictionary(t => t, _ => new Bucket());
    private readonly Dictionary<string, HashSet<(ResourceType Type, Key Key)>> _dependents = [];
    private readonly TimeProvider _time;
    private readonly int _historySize;
    private long _version;

    public ObjectStore(TimeProvider time, int historySize = 10_000)
    {
        _time = time;
        _historySize = historySize;
    }

    /// <summary>Raised, under no lock, when history was forgotten.</summary>
    public event Action? Compacted;

    public long ResourceVersion
    {
        get
        {
            lock (_gate)
            {
                return _version;
            }
        }
    }

    public JsonObject? Get(ResourceType type, string? ns, string name)
    {
        lock (_gate)
        {
            return _buckets[type].Objects.GetValueOrDefault(new(ns ?? "", name))?.Object;
        }
    }

    /// <summary>A snapshot, ordered by namespace and name as the real server's lists are.</summary>
    public (IReadOnlyList<JsonObject> Items, long ResourceVersion) List(ResourceType type, string? ns = null)
    {
        var (items, version) = ListStored(type, ns);
        return (items.ConvertAll(s => s.Object), version);
    }

    public (List<Stored> Items, long ResourceVersion) ListStored(ResourceType type, string? ns = null)
    {
        List<Stored> items;
        long version;
        lock (_gate)
        {
            version = _version;
            items = new(_buckets[type].Objects.Count);
            foreach (var stored in _buckets[type].Objects.Values)
            {
                if (string.IsNullOrEmpty(ns) || stored.Key.Namespace == ns)
                {
                    items.Add(stored);
                }
            }
        }

        items.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        return (items, version);
    }

    /// <summary>Assigns uid, creationTimestamp and resourceVersion.</summary>
    public JsonObject Create(ResourceType type, JsonObject obj)
    {
        obj = obj.Clone();
        var metadata = obj.Metadata();
        var key = KeyOf(type, obj);
        lock (_gate)
        {
            var bucket = _buckets[type];
            if (bucket.Objects.ContainsKey(key))
            {
                throw ApiError.AlreadyExists(type, key.Name);
            }

            metadata["uid"] = Guid.NewGuid().ToString();
            metadata["creationTimestamp"] = Json.Time(_time.GetUtcNow());
            var stored = Stamp(type, key, obj);
            bucket.Objects.Add(key, stored);
            LinkOwners(type, stored);
            Publish(bucket, WatchType.Added, stored, null);
            CollectIfOrphan(type, stored);
            return stored.Object;
        }
    }

    /// <summary>
    /// Applies a change to a deep clone of the current object; <paramref name="change"/> runs under the store's lock and
    /// must not block. A change that changes nothing keeps the resourceVersion and is not published.
    /// </summary>
    public JsonObject Update(
        ResourceType type, string? ns, string name, Func<JsonObject, JsonObject> change, string? expectedResourceVersion = null)
    {
        lock (_gate)
        {
            var bucket = _buckets[type];
            var key = new Key(ns ?? "", name);
            if (!bucket.Objects.TryGetValue(key, out var current))
            {
                throw ApiError.NotFound(type, name);
            }

            if (!string.IsNullOrEmpty(expectedResourceVersion) && expectedResourceVersion != current.Version)
            {
                throw ApiError.Modified(type, name);
            }

            var changed = change(current.Object.Clone());
            KeepIdentity(current.Object, changed);
            if (JsonNode.DeepEquals(current.Object, changed))
            {
                return current.Object;
            }

            var stored = Stamp(type, key, changed);
            bucket.Objects[key] = stored;
            UnlinkOwners(type, current);
            LinkOwners(type, stored);
            Publish(bucket, WatchType.Modified, stored, current.Object);
            RemoveIfFinished(type, stored);
            return stored.Object;
        }
    }

    /// <summary>The final removal; does nothing if the object is gone or has another uid.</summary>
    public JsonObject? Remove(ResourceType type, string? ns, string name, string? uid = null)
    {
        lock (_gate)
        {
            var bucket = _buckets[type];
            var key = new Key(ns ?? "", name);
            if (!bucket.Objects.TryGetValue(key, out var current) || (uid is not null && current.Object.Uid() != uid))
            {
                return null;
            }

            bucket.Objects.Remove(key);
            UnlinkOwners(type, current);
            var last = Stamp(type, key, current.Object.Clone());
            Publish(bucket, WatchType.Deleted, last, current.Object);
            CollectDependents(current.Object.Uid());
            return last.Object;
        }
    }

    /// <summary>Every event after a version. The subscription exists when this returns, so nothing is missed before the first MoveNext.</summary>
    /// <exception cref="ApiError">410 when the history no longer reaches back that far.</exception>
    public IAsyncEnumerable<StoreEvent> WatchAsync(ResourceType type, long fromResourceVersion, CancellationToken ct)
    {
        var subscription = Subscribe(type, fromResourceVersion);
        return ReadAsync(subscription, ct.Register(subscription.Dispose), ct);
    }

    /// <summary>The same as a channel, for a reader that must know when it has caught up.</summary>
    public Subscription Subscribe(ResourceType type, long fromResourceVersion)
    {
        var channel = Channel.CreateUnbounded<StoreEvent>(new() { SingleReader = true });
        lock (_gate)
        {
            var bucket = _buckets[type];
            if (fromResourceVersion < bucket.ForgottenThrough)
            {
                // Events are not served from the watch cache, and etcd has other words.
                throw ApiError.Expired(type == ResourceType.Events ? "The resourceVersion for the provided watch is too old." : $"too old resource version: {fromResourceVersion} ({bucket.ForgottenThrough + 1})");
            }

            foreach (var past in bucket.History)
            {
                if (past.ResourceVersion > fromResourceVersion)
                {
                    channel.Writer.TryWrite(past);
                }
            }

            bucket.Watchers.Add(channel.Writer);
        }

        return new(channel.Reader, () => Unsubscribe(type, channel.Writer));
    }

    /// <summary>Forgets the history: a watch from an older version gets 410.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            foreach (var bucket in _buckets.Values)
            {
                bucket.History.Clear();
                bucket.ForgottenThrough = _version;
            }
        }

        Compacted?.Invoke();
    }

    private static async IAsyncEnumerable<StoreEvent> ReadAsync(
        Subscription subscription, CancellationTokenRegistration registration, [EnumeratorCancellation] CancellationToken ct)
    {
        try
        {
            await foreach (var change in subscription.Reader.ReadAllAsync(ct).ConfigureAwait(false))
            {
                yield return change;
            }
        }
        finally
        {
            await registration.DisposeAsync().ConfigureAwait(false);
            subscription.Dispose();
        }
    }

    private void Unsubscribe(ResourceType type, ChannelWriter<StoreEvent> writer)
    {
        lock (_gate)
        {
            _buckets[type].Watchers.Remove(writer);
        }
    }

    private Stored Stamp(ResourceType type, Key key, JsonObject obj)
    {
        Identify(type, obj);
        var version = ++_version;
        var text = version.ToString(CultureInfo.InvariantCulture);
        obj.Metadata()["resourceVersion"] = text;
        var (frozen, bytes) = Json.Freeze(obj);
        return new(key, frozen, bytes, text, version);
    }

    /// <summary>Kind and version come first, so that a list can cut them off, as the real server's lists do.</summary>
    internal static void Identify(ResourceType type, JsonObject obj)
    {
        obj.Remove("kind");
        obj.Remove("apiVersion");
        obj.Insert(0, "kind", type.Kind);
        obj.Insert(1, "apiVersion", type.ApiVersion);
    }

    private void Publish(Bucket bucket, WatchType type, Stored stored, JsonObject? previous)
    {
        var change = new StoreEvent(type, stored.Object, stored.Number, previous) { Json = stored.Bytes };
        bucket.History.Enqueue(change);
        if (bucket.History.Count > _historySize)
        {
            bucket.ForgottenThrough = bucket.History.Dequeue().ResourceVersion;
        }

        foreach (var watcher in bucket.Watchers)
        {
            watcher.TryWrite(change);
        }
    }

    private static Key KeyOf(ResourceType type, JsonObject obj) =>
        new(type.Namespaced ? obj.Namespace() ?? "default" : "", obj.Name());

    private static void KeepIdentity(JsonObject current, JsonObject changed)
    {
        var metadata = changed.Metadata();
        foreach (var field in (ReadOnlySpan<string>)["name", "namespace", "uid", "creationTimestamp", "resourceVersion"])
        {
            if (current.At("metadata").Text(field) is { } value)
            {
                if (metadata.Text(field) != value)
                {
                    metadata[field] = value;
                }
            }
            else
            {
                metadata.Remove(field);
            }
        }
    }

    internal readonly record struct Key(string Namespace, string Name) : IComparable<Key>
    {
        public int CompareTo(Key other)
        {
            var byNamespace = string.CompareOrdinal(Namespace, other.Namespace);
            return byNamespace != 0 ? byNamespace : string.CompareOrdinal(Name, other.Name);
        }
    }

    /// <summary>A live watch; disposing it ends it.</summary>
    internal sealed class Subscription(ChannelReader<StoreEvent> reader, Action end) : IDisposable
    {
        public ChannelReader<StoreEvent> Reader => reader;

        public void Dispose() => end();
    }

    internal sealed record Stored(Key Key, JsonObject Object, byte[] Bytes, string Version, long Number);

    private sealed class Bucket
    {
        public Dictionary<Key, Stored> Objects { get; } = [];

        public Queue<StoreEvent> History { get; } = [];

        public HashSet<ChannelWriter<StoreEvent>> Watchers { get; } = [];

        public long ForgottenThrough { get; set; }
    }
}
