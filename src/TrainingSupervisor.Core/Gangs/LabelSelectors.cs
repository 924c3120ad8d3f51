using System.Text.RegularExpressions;

namespace TrainingSupervisor;

/// <summary>Whether a text is a label selector: requirements, comma between them.</summary>
internal static partial class LabelSelectors
{
    public static bool IsSelector(string text) => Selector().IsMatch(text);

    public static bool IsKey(string text) => KeyOnly().IsMatch(text);

    private const string Key = "([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
    private const string Value = "([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?";
    private const string Requirement = @"\s*(!\s*" + Key + "|" + Key + @"(\s*(=|==|!=)\s*" + Value + @"|\s+(in|notin)\s*\(\s*" + Value + @"\s*(,\s*" + Value + @"\s*)*\))?)\s*";

    [GeneratedRegex("^" + Requirement + "(," + Requirement + ")*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Selector();

    [GeneratedRegex("^" + Key + "$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex KeyOnly();
}
