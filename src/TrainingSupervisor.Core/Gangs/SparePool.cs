namespace TrainingSupervisor;

/// <summary>Spares that are kept on nodes with a label, for workers on nodes with the same.</summary>
/// <param name="Count">How many.</param>
/// <param name="NodeLabel">The label's name, <c>topology.kubernetes.io/zone</c> for example.</param>
/// <param name="Value">The label's value.</param>
public sealed record SparePool(int Count, string NodeLabel, string Value)
{
    internal string Name => $"{NodeLabel}={Value}";
}
