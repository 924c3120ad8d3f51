using System.Text.RegularExpressions;

namespace TrainingSupervisor.Policies;

internal static class LogPattern
{
    /// <summary>What a worker writes to its stderr must not be able to hold up the gang's loop: no backtracking.</summary>
    public static (Regex? Pattern, string? Problem) Compile(string? text)
    {
        if (text is null) return (null, null);
        if (text.Length == 0) return (null, "an empty pattern matches every failure; leave it out");
        try
        {
            return (new Regex(text, RegexOptions.NonBacktracking | RegexOptions.Multiline | RegexOptions.CultureInvariant), null);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return (null, e.Message);
        }
    }
}
