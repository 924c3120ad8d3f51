using System.Globalization;
using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Kubernetes quantities: <c>500m</c>, <c>2</c>, <c>1.5Gi</c>.</summary>
internal static class Quantity
{
    private static readonly string[] s_suffixes = ["m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];
    private static readonly decimal[] s_factors =
        [0.001m, 1e3m, 1e6m, 1e9m, 1e12m, 1e15m, 1L << 10, 1L << 20, 1L << 30, 1L << 40, 1L << 50];

    public static decimal Parse(JsonNode? node)
    {
        var text = node?.ToString() ?? "0";
        var digits = text.TrimEnd([.. "mkMGTPi"]);
        var index = Array.IndexOf(s_suffixes, text[digits.Length..]);
        return decimal.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture) * (index < 0 ? 1 : s_factors[index]);
    }
}
