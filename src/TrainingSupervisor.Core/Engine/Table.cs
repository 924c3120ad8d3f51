using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TrainingSupervisor.Engine;

/// <summary>
/// What is known of each of many things, by name; immutable. Every step looks at all workers and their nodes, and in the tree of an
/// ImmutableDictionary each look is a dozen cache misses. Here a step's changes cost one copy of the whole, however many they are. Things come
/// in an order that depends on nothing but what was done to it, and not on .NET's random hashes of strings.
/// </summary>
internal sealed class Table<T> : IReadOnlyDictionary<string, T>
    where T : class
{
    private readonly Dictionary<string, T> _items;

    private Table(Dictionary<string, T> items) => _items = items;

    public static Table<T> Empty { get; } = new([]);

    public int Count => _items.Count;
    public bool IsEmpty => Count == 0;
    public IEnumerable<string> Keys => _items.Keys;
    public IEnumerable<T> Values => _items.Values;

    public T this[string name] => _items[name];

    public bool ContainsKey(string key) => _items.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => _items.TryGetValue(key, out value);

    public T? GetValueOrDefault(string name) => _items.GetValueOrDefault(name);

    public Table<T> SetItem(string name, T item)
    {
        var builder = ToBuilder();
        builder[name] = item;
        return builder.ToTable();
    }

    public Builder ToBuilder() => new(this);

    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A table that is being changed; the one that it was made from stays as it is.</summary>
    internal sealed class Builder(Table<T> table)
    {
        private Table<T>? _table = table;
        private Dictionary<string, T> _items = table._items;

        public int Count => _items.Count;
        public IEnumerable<T> Values => _items.Values;

        public T this[string name]
        {
            get => _items[name];
            set => Own()[name] = value;
        }

        public T? GetValueOrDefault(string name) => _items.GetValueOrDefault(name);

        public void Remove(string name)
        {
            if (_items.ContainsKey(name)) Own().Remove(name);
        }

        /// <summary>What is changed after this is changed in another one.</summary>
        public Table<T> ToTable() => _table ??= new Table<T>(_items);

        private Dictionary<string, T> Own()
        {
            if (_table is null) return _items;
            _table = null;
            return _items = new(_items);
        }
    }
}
