using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Policies;

/// <summary>Rules in words.</summary>
internal static class RuleText
{
    public static string Conditions(PolicyRule rule)
    {
        var parts = new List<string> { rule.Kinds.IsEmpty ? "any failure" : Or(rule.Kinds) };
        if (!rule.ExitCodes.IsEmpty) parts.Add($"with exit code {Or(rule.ExitCodes)}");
        if (!rule.Signals.IsEmpty) parts.Add($"with signal {Or(rule.Signals.Select(s => $"{s}{ExitDetector.SignalName(s)}"))}");
        if (rule.Role is not null) parts.Add($"in role {rule.Role}");
        if (!rule.NodeLabels.IsEmpty) parts.Add($"on a node with {string.Join(" and ", rule.NodeLabels.Select(l => $"{l.Key}={l.Value}"))}");
        if (rule.Log is not null) parts.Add($"whose log matches /{rule.Log}/");
        if (rule.FromAttempt > 1) parts.Add($"from attempt {rule.FromAttempt} on");
        if (rule.Predicate is not null) parts.Add($"when {rule.Predicate.Description}");
        return string.Join(' ', parts);
    }

    public static string Sentence(PolicyRule rule)
    {
        var when = rule.Name is null ? $"on {Conditions(rule)}" : $"{rule.Name} (on {Conditions(rule)})";
        return $"{when}: {string.Join("; ", rule.Rungs.Select(Rung))}";
    }

    public static string Rung(PolicyRung rung)
    {
        var parts = new List<string> { rung.Strategy.ToString() };
        if (rung.AvoidNode) parts.Add("avoiding the node");
        if (rung.Quiesce is { } quiesce) parts.Add(quiesce == TimeSpan.Zero ? "without quiescing" : $"after at most {DurationText.Write(quiesce)} of quiescing");
        if (rung.CheckHealth) parts.Add("keeping only who passes the health check");
        if (rung.Backoff is { } backoff) parts.Add($"with a backoff of {DurationText.Write(backoff.First)} to {DurationText.Write(backoff.Longest)}");
        return (rung.After == 0 ? "" : $"after {rung.After} within {DurationText.Write(rung.Within)}{Per(rung.Per)} ") + string.Join(", ", parts);
    }

    public static string Per(RepeatScope scope) => scope switch
    {
        RepeatScope.Worker => " for the same worker",
        RepeatScope.Node => " on the same node",
        _ => "",
    };

    private static string Or<T>(IEnumerable<T> items) => string.Join(" or ", items);
}
