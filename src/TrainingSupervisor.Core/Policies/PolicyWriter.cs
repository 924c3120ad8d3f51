using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace TrainingSupervisor.Policies;

/// <summary>A policy as JSON or YAML. <see cref="PolicyReader"/> reads the same back.</summary>
internal static class PolicyWriter
{
    // For people and files, not for web pages: a pattern with < or ' stays readable.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Json(RecoveryPolicy policy) => Tree(policy).ToJsonString(Indented);

    public static string Yaml(RecoveryPolicy policy)
    {
#pragma warning disable RS0030 // A text in memory: no I/O.
        using var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(text);
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, Tree(policy));
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
#pragma warning restore RS0030
    }

    private static JsonObject Tree(RecoveryPolicy policy)
    {
        var code = policy.Rules.Select((r, i) => (r.Predicate, i)).Where(r => r.Predicate is not null).Select(r => new SpecProblem(
            $"rules[{r.i}].where", $"'{r.Predicate!.Description}' is a condition in code, which cannot be written as text.")).ToImmutableArray();
        if (!code.IsEmpty) throw new InvalidPolicyException(code);
        var tree = new JsonObject
        {
            ["rules"] = new JsonArray([.. policy.Rules.Select(Rule)]),
            ["budget"] = Budget(policy.Budget),
        };
        if (!policy.KindBudgets.IsEmpty)
        {
            tree["kindBudgets"] = new JsonObject(policy.KindBudgets.Select(b => KeyValuePair.Create(b.Key.ToString(), (JsonNode?)Budget(b.Value))));
        }

        if (policy.WorkerBudget is { } worker) tree["workerBudget"] = Budget(worker);
        // What is left out is the default, and here the default is not none.
        tree["nodeBudget"] = policy.NodeBudget is { } node ? Budget(node) : null;
        tree["backoff"] = Backoff(policy.Backoff);
        return tree;
    }

    private static JsonObject Rule(PolicyRule rule)
    {
        var tree = new JsonObject();
        if (rule.Name is not null) tree["name"] = rule.Name;
        if (!rule.Kinds.IsEmpty) tree["kinds"] = new JsonArray([.. rule.Kinds.Select(k => JsonValue.Create(k.ToString()))]);
        if (!rule.ExitCodes.IsEmpty) tree["exitCodes"] = new JsonArray([.. rule.ExitCodes.Select(c => JsonValue.Create(c))]);
        if (!rule.Signals.IsEmpty) tree["signals"] = new JsonArray([.. rule.Signals.Select(s => JsonValue.Create(s))]);
        if (rule.Role is not null) tree["role"] = rule.Role;
        if (!rule.NodeLabels.IsEmpty) tree["nodeLabels"] = new JsonObject(rule.NodeLabels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value)));
        if (rule.Log is not null) tree["log"] = rule.Log;
        if (rule.FromAttempt != 1) tree["fromAttempt"] = rule.FromAttempt;
        if (rule.Rungs.IsEmpty) return tree;
        Rung(rule.Rungs[0], tree);
        if (rule.Rungs.Length > 1) tree["then"] = new JsonArray([.. rule.Rungs.Skip(1).Select(Then)]);
        return tree;
    }

    private static JsonObject Then(PolicyRung rung)
    {
        var tree = new JsonObject { ["after"] = rung.After, ["within"] = DurationText.Write(rung.Within) };
        if (rung.Per != RepeatScope.Gang) tree["per"] = rung.Per.ToString();
        return Rung(rung, tree);
    }

    private static JsonObject Rung(PolicyRung rung, JsonObject tree)
    {
        tree["use"] = rung.Strategy.ToString();
        if (rung.AvoidNode) tree["avoidNode"] = true;
        if (rung.Quiesce is { } quiesce) tree["quiesce"] = DurationText.Write(quiesce);
        if (rung.CheckHealth) tree["checkHealth"] = true;
        if (rung.Backoff is { } backoff) tree["backoff"] = Backoff(backoff);
        return tree;
    }

    private static JsonObject Budget(RecoveryBudget budget) => new()
    {
        ["recoveries"] = budget.Recoveries,
        ["window"] = DurationText.Write(budget.Window),
        ["paidBackAfter"] = budget.PaidBackAfter,
    };

    private static JsonObject Backoff(RecoveryBackoff backoff) => new()
    {
        ["first"] = DurationText.Write(backoff.First),
        ["longest"] = DurationText.Write(backoff.Longest),
    };

    private static void Emit(Emitter emitter, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject obj:
                emitter.Emit(new MappingStart());
                foreach (var (key, value) in obj)
                {
                    Emit(emitter, JsonValue.Create(key));
                    Emit(emitter, value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case JsonArray array:
                var flow = array.Count == 0 || array[0] is JsonValue;
                emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, true, flow ? SequenceStyle.Flow : SequenceStyle.Block));
                foreach (var item in array) Emit(emitter, item);
                emitter.Emit(new SequenceEnd());
                break;
            case null:
                emitter.Emit(new Scalar("null"));
                break;
            default:
                var text = node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;
                var plain = text is null || IsWord(text);
                emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text ?? node.ToJsonString(), plain ? ScalarStyle.Plain : ScalarStyle.DoubleQuoted, plain, !plain));
                break;
        }
    }

    // Other YAML readers take some plain words for booleans, numbers or nothing; these they cannot.
    private static bool IsWord(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c)) && !Ambiguous(text) && (char.IsAsciiLetter(text[0]) || DurationText.Read(text) is not null);

    private static bool Ambiguous(string text) => text.ToUpperInvariant() is "NULL" or "TRUE" or "FALSE" or "YES" or "NO" or "ON" or "OFF" or "Y" or "N" or "NAN" or "INF";
}
