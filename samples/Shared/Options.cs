using System.CommandLine;
using System.Globalization;

namespace Samples.Shared;

/// <summary>Command lines whose mistakes are told in the user's words.</summary>
internal static class Options
{
    /// <summary>A whole number; the bounds are left out where something else checks them.</summary>
    public static Option<int> Number(string name, string description, int usual, int least = int.MinValue, int most = int.MaxValue)
    {
        var bounds = least > int.MinValue ? $"{least} to {most}" : null;
        return new Option<int>(name)
        {
            Description = bounds is null ? description : $"{description}: {bounds}",
            DefaultValueFactory = _ => usual,
            CustomParser = result =>
            {
                var text = string.Join(' ', result.Tokens.Select(t => t.Value));
                if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) && n >= least && n <= most) return n;
                result.AddError($"{name} must be a whole number{(bounds is null ? "" : $" from {bounds}")}, not '{text}'");
                return usual;
            },
        };
    }

    /// <summary>Says what is wrong, a line for each mistake; false if nothing is.</summary>
    public static bool SayMistakes(ParseResult result)
    {
        if (result.Errors.Count == 0) return false;
        foreach (var message in result.Errors.Select(e => e.Message).Distinct()) Console.Error.WriteLine($"error: {message}");
        Console.Error.WriteLine("--help lists the options");
        return true;
    }
}
