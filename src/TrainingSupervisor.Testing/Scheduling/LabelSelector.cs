using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Label selectors and node selector terms.</summary>
internal static class LabelSelector
{
    public static bool Matches(JsonObject? selector, JsonObject? labels) =>
        selector is not null
        && (selector.At("matchLabels")?.All(p => labels.Text(p.Key) == p.Value?.GetValue<string>()) ?? true)
        && MatchesAll(selector.Items("matchExpressions"), labels);

    public static bool MatchesAll(JsonArray? expressions, JsonObject? labels) =>
        expressions?.OfType<JsonObject>().All(e => Matches(e, labels.Text(e.Text("key")!))) ?? true;

    private static bool Matches(JsonObject expression, string? value)
    {
        var listed = value is not null && (expression.Items("values")?.Any(v => v!.GetValue<string>() == value) ?? false);
        return expression.Text("operator") switch
        {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            _ => false,
        };
    }
}
