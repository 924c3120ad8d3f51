using System.Globalization;

namespace TrainingSupervisor;

/// <summary>A logical member of a gang: its role and its index within the role. It outlives its Pods.</summary>
/// <param name="Role">The role's name.</param>
/// <param name="Index">The index within the role, from 0.</param>
public readonly record struct WorkerId(string Role, int Index)
{
    /// <summary>The name that people and labels use: <c>trainer-3</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Role}-{Index}");

    internal static WorkerId? TryParse(string? text)
    {
        var dash = text?.LastIndexOf('-') ?? -1;
        return dash > 0 && int.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new WorkerId(text![..dash], index)
            : null;
    }
}
