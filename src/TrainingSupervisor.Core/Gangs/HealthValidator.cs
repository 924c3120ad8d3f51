using System.Text.RegularExpressions;

namespace TrainingSupervisor;

/// <summary>What a role says of how its workers' health is seen.</summary>
internal static class HealthValidator
{
    private const int MaxPatterns = 32, MaxPatternLength = 1000, MaxFailures = 1000;

    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100), Longest = TimeSpan.FromDays(1);

    public static void Validate(RoleSpec role, string path, Action<bool, string, string> check)
    {
        check(!role.Sidecar || role.HealthCheck is null, $"{path}.healthCheck",
            "A sidecar has neither the worker's programs nor its processes; give the worker's container a liveness probe in the Pod template.");
        check(!role.Sidecar || role.FailurePatterns.IsEmpty, $"{path}.failurePatterns",
            "A sidecar does not see the worker's stderr; let the worker write 'unhealthy ...' to its progress file.");
        if (role.HealthCheck is { } health)
        {
            check(!health.Command.IsDefaultOrEmpty && !string.IsNullOrWhiteSpace(health.Command[0]), $"{path}.healthCheck.command",
                "No command; name the program and its arguments.");
            check(health.Interval >= Shortest && health.Interval <= Longest, $"{path}.healthCheck.interval",
                $"{health.Interval} must be between 100 ms and a day.");
            check(health.Timeout >= Shortest && health.Timeout <= Longest, $"{path}.healthCheck.timeout",
                $"{health.Timeout} must be between 100 ms and a day.");
            check(health.Failures is > 0 and <= MaxFailures, $"{path}.healthCheck.failures",
                $"{health.Failures} failures in a row; use 1 to {MaxFailures}.");
        }

        check(role.FailurePatterns.Length <= MaxPatterns, $"{path}.failurePatterns",
            $"{role.FailurePatterns.Length} patterns; use at most {MaxPatterns}, or one with alternatives: a|b.");
        for (var i = 0; i < role.FailurePatterns.Length; i++)
        {
            var problem = Problem(role.FailurePatterns[i]);
            check(problem is null, $"{path}.failurePatterns[{i}]", problem ?? "");
        }
    }

    private static string? Problem(string pattern)
    {
        if (string.IsNullOrEmpty(pattern)) return "The pattern is empty; give a regular expression.";
        if (pattern.Length > MaxPatternLength) return $"The pattern has {pattern.Length} characters; use at most {MaxPatternLength}.";
        try
        {
            // As the agents read it: in linear time, whatever the worker writes.
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant).IsMatch("")
                ? $"'{pattern}' matches an empty line, so it would call every worker broken; say what must be in the line."
                : null;
        }
        catch (ArgumentException e)
        {
            return $"'{pattern}' is no regular expression: {e.Message}";
        }
        catch (NotSupportedException)
        {
            return $"'{pattern}' needs backtracking, which could hang the agent; do without look-around, back references and atomic groups.";
        }
    }
}
