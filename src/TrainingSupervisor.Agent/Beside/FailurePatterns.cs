using System.Text.RegularExpressions;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>The user's regular expressions for lines that mean that the worker is broken. None of them can take more than linear time.</summary>
internal sealed class FailurePatterns
{
    internal static readonly FailurePatterns None = new([], []);

    private readonly Regex[] _patterns;

    private FailurePatterns(Regex[] patterns, string[] texts) => (_patterns, Texts) = (patterns, texts);

    /// <summary>As they came, the unreadable ones too.</summary>
    internal IReadOnlyList<string> Texts { get; }

    internal bool IsEmpty => _patterns.Length == 0;

    /// <summary>Those that are readable. The supervisor has checked them; one that this agent cannot read is left out, and the log says so.</summary>
    internal static FailurePatterns Of(IReadOnlyCollection<string> patterns)
    {
        List<Regex> read = [];
        foreach (var pattern in patterns)
        {
            try
            {
                read.Add(new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
            }
            catch (Exception e) when (e is ArgumentException or NotSupportedException)
            {
                Log.Write($"a failure pattern that this agent cannot read is left out: {e.Message}");
            }
        }

        return new FailurePatterns([.. read], [.. patterns]);
    }

    /// <summary>The first that matches this line; null if none does.</summary>
    internal string? Match(string line)
    {
        foreach (var pattern in _patterns)
        {
            if (pattern.IsMatch(line))
                return pattern.ToString();
        }

        return null;
    }

    /// <summary>All but these.</summary>
    internal FailurePatterns Without(IReadOnlyCollection<string> patterns) => new([.. _patterns.Where(p => !patterns.Contains(p.ToString()))], [.. Texts]);

    /// <summary>What to say of a line that a pattern matches.</summary>
    internal static string Words(string line, string pattern) => $"{Text.Short(line.Trim(), 512)} (failure pattern '{Text.Short(pattern, 256)}')";
}
