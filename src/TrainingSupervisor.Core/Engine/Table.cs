using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TrainingSupervisor.Engine;

/// <summary>
/// What is known of each of many things, by name; immutable. Every step looks at all workers and their nodes. In a tree each look is a dozen
/// cache misses; here it is one hash, and all of them lie in a row. The price is a copy of the row for a change, and of the index for a new
/// name or a lost one: once for all that one <see cref="Builder"/> does.
/// </summary>
internal sealed class Table<T> : IReadOnlyDictionary<string, T>
    where T : class
{
    private readonly Dictionary<string, int> _index;
    private readonly string[] _names;
    private readonly T[] _items;

    private Table(Dictionary<string, int> index, string[] names, T[] items)
    {
        _index = index;
        _names = names;
        _items = items;
    }

    public static Table<T> Empty { get; } = new(new(StringComparer.Ordinal), [], []);

    public int Count => _index.Count;
    public bool IsEmpty => Count == 0;
    public IEnumerable<string> Keys => _names.Take(Count);

    /// <summary>In no order that means anything, but the same each time.</summary>
    public IEnumerable<T> Values => new ArraySegment<T>(_items, 0, Count);

    public T this[string name] => _items[_index[name]];

    public bool ContainsKey(string key) => _index.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => (value = GetValueOrDefault(key)) is not null;

    public T? GetValueOrDefault(string name) => _index.TryGetValue(name, out var i) ? _items[i] : null;

    public Table<T> SetItem(string name, T item)
    {
        var builder = ToBuilder();
        builder[name] = item;
        return builder.ToTable();
    }

    public Builder ToBuilder() => new(this);

    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => Keys.Zip(Values, KeyValuePair.Create).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A table that is being changed; the one that it was made from stays as it is.</summary>
    internal sealed class Builder(Table<T> table)
    {
        private Table<T>? _table = table;
        private Dictionary<string, int> _index = table._index;
        private string[] _names = table._names;
        private T[] _items = table._items;
        private bool _ownsNames, _ownsItems;

        public int Count => _index.Count;

        /// <summary>Not to be read on after a change.</summary>
        public IEnumerable<T> Values => new ArraySegment<T>(_items, 0, Count);

        public T this[string name]
        {
            get => _items[_index[name]];
            set
            {
                OwnItems();
                if (_index.TryGetValue(name, out var i)) _items[i] = value;
                else Add(name, value);
            }
        }

        public T? GetValueOrDefault(string name) => _index.TryGetValue(name, out var i) ? _items[i] : null;

        public void Remove(string name)
        {
            if (!_index.ContainsKey(name)) return;
            OwnItems();
            OwnNames();
            _index.Remove(name, out var i);
            var last = Count;
            if (i < last)
            {
                (_names[i], _items[i]) = (_names[last], _items[last]);
                _index[_names[i]] = i;
            }

            (_names[last], _items[last]) = (null!, null!);
        }

        /// <summary>What is changed after this is changed in another one.</summary>
        public Table<T> ToTable()
        {
            (_ownsNames, _ownsItems) = (false, false);
            return _table ??= new Table<T>(_index, _names, _items);
        }

        private void Add(string name, T item)
        {
            OwnNames();
            var i = Count;
            if (i == _names.Length)
            {
                var room = Math.Max(4, i * 2);
                Array.Resize(ref _names, room);
                Array.Resize(ref _items, room);
            }

            (_names[i], _items[i]) = (name, item);
            _index.Add(name, i);
        }

        private void OwnItems()
        {
            _table = null;
            if (!_ownsItems) _items = [.. _items];
            _ownsItems = true;
        }

        private void OwnNames()
        {
            if (!_ownsNames) (_index, _names) = (new(_index, StringComparer.Ordinal), [.. _names]);
            _ownsNames = true;
        }
    }
}
