using System.Collections.Immutable;
using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TrainingSupervisor.Policies;

/// <summary>Typed values from a YAML tree. What is wrong is noted, with path and line, and reading goes on.</summary>
internal sealed class TextFields
{
    private readonly List<(long Line, SpecProblem Problem)> _problems = [];
    private readonly Dictionary<string, long> _lines = [];

    /// <summary>What was found here, and in what was read; what is wrong with a value that could not be read at all is left out.</summary>
    public ImmutableArray<SpecProblem> With(IEnumerable<SpecProblem> found)
    {
        var unread = _problems.Select(p => p.Problem.Path).ToHashSet();
        var more = found.Where(p => !unread.Contains(p.Path)).Select(p => (Line: LineOf(p.Path), Problem: p));
        return [.. _problems.Concat(more).OrderBy(p => p.Line).Select(p => p.Problem with { Message = $"line {p.Line}: {p.Problem.Message}" })];
    }

    public Mapping Fields(YamlNode node, string path, params string[] known)
    {
        var values = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var (key, value, at) in Entries(node, path))
        {
            if (known.Contains(key)) values[key] = value;
            else Wrong(value, at, $"There is no such field; the fields here are {string.Join(", ", known)}.");
        }

        return new Mapping(this, node, path, values);
    }

    public IEnumerable<(string Key, YamlNode Node, string Path)> Entries(YamlNode node, string path)
    {
        Note(node, path);
        if (node is not YamlMappingNode mapping)
        {
            Wrong(node, path, "This must be a mapping of names to values.");
            return [];
        }

        return mapping.Select(e =>
        {
            var key = (e.Key as YamlScalarNode)?.Value ?? e.Key.ToString();
            var at = path.Length == 0 ? key : $"{path}.{key}";
            Note(e.Key, at);
            return (key, e.Value, at);
        }).ToList();
    }

    /// <summary>A condition's mapping: an empty one would match everything.</summary>
    public IEnumerable<(string Key, YamlNode Node, string Path)> SomeEntries(YamlNode node, string path)
    {
        if (node is YamlMappingNode { Children.Count: 0 }) Wrong(node, path, "The mapping is empty; leave it out to match every failure.");
        return Entries(node, path);
    }

    public IReadOnlyList<(YamlNode Node, string Path)> Items(YamlNode node, string path)
    {
        if (node is not YamlSequenceNode list)
        {
            Wrong(node, path, "This must be a list.");
            return [];
        }

        return [.. list.Select((item, i) =>
        {
            Note(item, $"{path}[{i}]");
            return (item, $"{path}[{i}]");
        })];
    }

    /// <summary>A condition's list: an empty one would match everything.</summary>
    public ImmutableArray<T> Some<T>(YamlNode node, string path, Func<YamlNode, string, T> read)
    {
        var items = Items(node, path);
        if (node is YamlSequenceNode && items.Count == 0) Wrong(node, path, "The list is empty; leave it out to match every failure.");
        return [.. items.Select(i => read(i.Node, i.Path))];
    }

    public string String(YamlNode node, string path)
    {
        if (node is YamlScalarNode { Value: { } text } && !IsNull(node)) return text;
        Wrong(node, path, "This must be a text.");
        return "";
    }

    public int Int(YamlNode node, string path)
    {
        var text = (node as YamlScalarNode)?.Value;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)) return number;
        Wrong(node, path, $"{Shown(node)} is no whole number.");
        return 0;
    }

    public bool Bool(YamlNode node, string path)
    {
        if ((node as YamlScalarNode)?.Value is "true") return true;
        if ((node as YamlScalarNode)?.Value is not "false") Wrong(node, path, $"{Shown(node)} is neither true nor false.");
        return false;
    }

    public TimeSpan Duration(YamlNode node, string path)
    {
        if (DurationText.Read((node as YamlScalarNode)?.Value ?? "") is { } duration) return duration;
        Wrong(node, path, $"{Shown(node)} is no duration; write numbers with d, h, m, s or ms, largest first, as 1h30m or 500ms.");
        return default;
    }

    public T Enum<T>(YamlNode node, string path)
        where T : struct, Enum
    {
        var text = (node as YamlScalarNode)?.Value ?? "";
        var names = System.Enum.GetNames<T>();
        if (names.Contains(text)) return System.Enum.Parse<T>(text);
        var close = names.FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase));
        Wrong(node, path, $"There is no {Shown(node)}; {(close is null ? $"use one of {string.Join(", ", names)}" : $"it is written {close}")}.");
        return default;
    }

    public static bool IsNull(YamlNode node) => node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "null" or "~" };

    private static string Shown(YamlNode node) => node is YamlScalarNode { Value: { } text } ? $"'{text}'" : node is YamlSequenceNode ? "a list" : "a mapping";

    private void Note(YamlNode node, string path) => _lines.TryAdd(path, node.Start.Line);

    private long LineOf(string path)
    {
        while (path.Length > 0)
        {
            if (_lines.TryGetValue(path, out var line)) return line;
            path = path[..Math.Max(0, path.LastIndexOfAny(['.', '[']))];
        }

        return 1;
    }

    private void Wrong(YamlNode node, string path, string message) =>
        _problems.Add((node.Start.Line > 0 ? node.Start.Line : LineOf(path), new SpecProblem(path.Length == 0 ? "policy" : path, message)));

    /// <summary>The fields of one mapping. <see cref="Node"/> and <see cref="Path"/> are of the field that was last asked for.</summary>
    internal sealed class Mapping
    {
        private readonly TextFields _text;
        private readonly YamlNode _owner;
        private readonly string _prefix;
        private readonly Dictionary<string, YamlNode> _values;

        public Mapping(TextFields text, YamlNode owner, string path, Dictionary<string, YamlNode> values)
        {
            (_text, _owner, _values) = (text, owner, values);
            _prefix = path.Length == 0 ? "" : $"{path}.";
            (Node, Path) = (owner, path);
        }

        public YamlNode Node { get; private set; }
        public string Path { get; private set; }

        public bool Has(string name)
        {
            if (!_values.TryGetValue(name, out var node)) return false;
            (Node, Path) = (node, _prefix + name);
            return true;
        }

        public bool Needs(string name, string what)
        {
            if (Has(name)) return true;
            if (_owner is YamlMappingNode) _text.Wrong(_owner, _prefix + name, $"This is missing: {what}.");
            return false;
        }
    }
}
