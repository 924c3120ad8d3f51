using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TrainingSupervisor.Policies;

/// <summary>Reads a policy from YAML, of which JSON is a part, and names all mistakes at once, each with its path and line.</summary>
internal sealed class PolicyReader
{
    private readonly TextFields _text = new();

    /// <exception cref="InvalidPolicyException">There are mistakes.</exception>
    public static RecoveryPolicy Read(string text)
    {
        var stream = new YamlStream();
        try
        {
#pragma warning disable RS0030 // A text in memory: no I/O.
            stream.Load(new StringReader(text));
#pragma warning restore RS0030
        }
        catch (YamlException e)
        {
            throw new InvalidPolicyException([new SpecProblem("policy", $"line {e.Start.Line}: this is neither JSON nor YAML: {e.InnerException?.Message ?? e.Message}")], e);
        }

        if (stream.Documents.Count != 1)
        {
            throw new InvalidPolicyException([new SpecProblem("policy", $"There are {stream.Documents.Count} documents; write one.")]);
        }

        return new PolicyReader().Policy(stream.Documents[0].RootNode);
    }

    private RecoveryPolicy Policy(YamlNode root)
    {
        var policy = new RecoveryPolicy();
        var fields = _text.Fields(root, "", "rules", "budget", "kindBudgets", "workerBudget", "nodeBudget", "backoff");
        policy = policy with
        {
            Rules = fields.Has("rules") ? [.. _text.Items(fields.Node, fields.Path).Select(i => Rule(i.Node, i.Path))] : [],
            Budget = fields.Has("budget") ? Budget(fields.Node, fields.Path) : policy.Budget,
            KindBudgets = fields.Has("kindBudgets") ? KindBudgets(fields.Node, fields.Path) : policy.KindBudgets,
            WorkerBudget = fields.Has("workerBudget") && !TextFields.IsNull(fields.Node) ? Budget(fields.Node, fields.Path) : null,
            NodeBudget = !fields.Has("nodeBudget") ? policy.NodeBudget : TextFields.IsNull(fields.Node) ? null : Budget(fields.Node, fields.Path),
            Backoff = fields.Has("backoff") ? Backoff(fields.Node, fields.Path) : policy.Backoff,
        };
        var found = ImmutableArray.CreateBuilder<SpecProblem>();
        PolicyValidator.Validate(policy, "", [], found);
        var problems = _text.With(found);
        return problems.IsEmpty ? policy : throw new InvalidPolicyException(problems);
    }

    private PolicyRule Rule(YamlNode node, string path)
    {
        var fields = _text.Fields(node, path, "name", "kinds", "exitCodes", "signals", "role", "nodeLabels", "log", "fromAttempt", "use", "avoidNode", "quiesce", "checkHealth", "backoff", "then");
        var labels = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        if (fields.Has("nodeLabels")) labels.AddRange(_text.SomeEntries(fields.Node, fields.Path).Select(e => KeyValuePair.Create(e.Key, _text.String(e.Node, e.Path))));
        return new PolicyRule
        {
            Name = fields.Has("name") ? _text.String(fields.Node, fields.Path) : null,
            Kinds = fields.Has("kinds") ? _text.Some(fields.Node, fields.Path, _text.Enum<FailureKind>) : [],
            ExitCodes = fields.Has("exitCodes") ? _text.Some(fields.Node, fields.Path, _text.Int) : [],
            Signals = fields.Has("signals") ? _text.Some(fields.Node, fields.Path, _text.Int) : [],
            Role = fields.Has("role") ? _text.String(fields.Node, fields.Path) : null,
            NodeLabels = labels.ToImmutable(),
            Log = fields.Has("log") ? _text.String(fields.Node, fields.Path) : null,
            FromAttempt = fields.Has("fromAttempt") ? _text.Int(fields.Node, fields.Path) : 1,
            Rungs =
            [
                Rung(fields, new PolicyRung(default)),
                .. fields.Has("then") ? _text.Items(fields.Node, fields.Path).Select(i => Then(i.Node, i.Path)) : [],
            ],
        };
    }

    private PolicyRung Then(YamlNode node, string path)
    {
        var fields = _text.Fields(node, path, "after", "within", "per", "use", "avoidNode", "quiesce", "checkHealth", "backoff");
        return Rung(fields, new PolicyRung(default)
        {
            After = fields.Needs("after", "how many recoveries lead to this rung") ? _text.Int(fields.Node, fields.Path) : 0,
            Within = fields.Needs("within", "how far back they count, as 10m") ? _text.Duration(fields.Node, fields.Path) : default,
            Per = fields.Has("per") ? _text.Enum<RepeatScope>(fields.Node, fields.Path) : RepeatScope.Gang,
        });
    }

    private PolicyRung Rung(TextFields.Mapping fields, PolicyRung rung) => rung with
    {
        Strategy = fields.Needs("use", "the strategy") ? _text.Enum<RecoveryStrategy>(fields.Node, fields.Path) : default,
        AvoidNode = fields.Has("avoidNode") && _text.Bool(fields.Node, fields.Path),
        Quiesce = fields.Has("quiesce") ? _text.Duration(fields.Node, fields.Path) : null,
        CheckHealth = fields.Has("checkHealth") && _text.Bool(fields.Node, fields.Path),
        Backoff = fields.Has("backoff") ? Backoff(fields.Node, fields.Path) : null,
    };

    private ImmutableSortedDictionary<FailureKind, RecoveryBudget> KindBudgets(YamlNode node, string path)
    {
        var budgets = ImmutableSortedDictionary.CreateBuilder<FailureKind, RecoveryBudget>();
        foreach (var (key, value, at) in _text.Entries(node, path))
        {
            var kind = _text.Enum<FailureKind>(new YamlScalarNode(key), at);
            budgets[kind] = Budget(value, at);
        }

        return budgets.ToImmutable();
    }

    private RecoveryBudget Budget(YamlNode node, string path)
    {
        var fields = _text.Fields(node, path, "recoveries", "window", "paidBackAfter");
        return new RecoveryBudget(
            fields.Needs("recoveries", "how many are allowed") ? _text.Int(fields.Node, fields.Path) : 0,
            fields.Needs("window", "how far back they count, as 1h") ? _text.Duration(fields.Node, fields.Path) : default,
            fields.Has("paidBackAfter") ? _text.Int(fields.Node, fields.Path) : path == "nodeBudget" ? 0 : RecoveryBudget.DefaultPaidBackAfter);
    }

    private RecoveryBackoff Backoff(YamlNode node, string path)
    {
        var fields = _text.Fields(node, path, "first", "longest");
        var first = fields.Needs("first", "the first wait, as 5s") ? _text.Duration(fields.Node, fields.Path) : default;
        return fields.Has("longest") ? new RecoveryBackoff(first, _text.Duration(fields.Node, fields.Path)) : RungBuilder.Between(first, null);
    }
}
