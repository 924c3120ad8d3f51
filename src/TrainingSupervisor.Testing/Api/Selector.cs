using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>The label and field selectors of a list or watch.</summary>
internal sealed class Selector
{
    private static readonly Dictionary<ResourceType, string[]> s_fields = new()
    {
        [ResourceType.Pods] =
        [
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ],
        [ResourceType.Nodes] = ["spec.unschedulable"],
        [ResourceType.Secrets] = ["type"],
        [ResourceType.Namespaces] = ["status.phase"],
        [ResourceType.Events] =
        [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        ],
    };

    private readonly List<Func<JsonObject, bool>> _terms = [];

    public bool IsEmpty => _terms.Count == 0;

    public static Selector Parse(ApiCall call)
    {
        var selector = new Selector();
        foreach (var term in Split(Last(call.Query, "labelSelector")))
        {
            selector._terms.Add(LabelTerm(term));
        }

        foreach (var term in Split(Last(call.Query, "fieldSelector")))
        {
            selector._terms.Add(FieldTerm(call.Type, term));
        }

        if (call.Verb == "watch" && call.Name is { } name)
        {
            selector._terms.Add(o => o.Name() == name);
        }

        return selector;
    }

    public bool Matches(JsonObject obj) => _terms.TrueForAll(t => t(obj));

    private static string Last(IQueryCollection query, string name) => query[name].LastOrDefault() ?? "";

    private static IEnumerable<string> Split(string text)
    {
        var depth = 0;
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i == text.Length || (text[i] == ',' && depth == 0))
            {
                if (text[start..i].Trim() is { Length: > 0 } term)
                {
                    yield return term;
                }

                start = i + 1;
            }
            else
            {
                depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
            }
        }
    }

    private static Func<JsonObject, bool> LabelTerm(string term)
    {
        if (term.EndsWith(')') && term.IndexOf('(', StringComparison.Ordinal) is > 0 and var open)
        {
            var head = term[..open].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var values = term[(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries).ToHashSet();
            return head switch
            {
                [var name, "in"] => o => Label(o, name) is { } value && values.Contains(value),
                [var name, "notin"] => o => Label(o, name) is not { } value || !values.Contains(value),
                _ => throw Bad(term),
            };
        }

        if (Operator(term) is var (key, value1, equal))
        {
            return o => Label(o, key) == value1 == equal;
        }

        if (term.Contains(' ', StringComparison.Ordinal))
        {
            throw Bad(term);
        }

        return term[0] == '!' ? o => Label(o, term[1..]) is null : o => Label(o, term) is not null;
    }

    private static Func<JsonObject, bool> FieldTerm(ResourceType type, string term)
    {
        if (Operator(term) is not var (field, value, equal))
        {
            throw ApiError.BadRequest($"invalid selector: '{term}'; can't understand '{term}'");
        }

        var known = field == "metadata.name"
            || (field == "metadata.namespace" && type.Namespaced)
            || (s_fields.TryGetValue(type, out var fields) && fields.Contains(field));
        if (!known)
        {
            throw ApiError.BadRequest($"field label not supported: {field}");
        }

        var path = field.Split('.');
        return o => (Field(o, path) == value) == equal;
    }

    private static (string Key, string Value, bool Equal)? Operator(string term)
    {
        var at = term.IndexOf('=', StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        var not = at > 0 && term[at - 1] == '!';
        var twice = at + 1 < term.Length && term[at + 1] == '=';
        return (term[..(not ? at - 1 : at)].Trim(), term[(twice ? at + 2 : at + 1)..].Trim(), !not);
    }

    private static string? Label(JsonObject obj, string name) => obj.At("metadata").At("labels").Text(name);

    private static string Field(JsonObject obj, string[] path)
    {
        JsonNode? node = obj;
        foreach (var part in path)
        {
            node = (node as JsonObject)?[part];
        }

        return node?.ToString() ?? "";
    }

    private static ApiError Bad(string term) => ApiError.BadRequest($"unable to parse requirement: {term}");
}
