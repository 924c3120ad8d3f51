namespace TrainingSupervisor;

/// <summary>Something on a Node that tells of trouble. The built-in ones are listed in docs/recovery-decisions.md.</summary>
/// <param name="Kind"><see cref="FailureKind.NodeUnhealthy"/> or <see cref="FailureKind.NodeDraining"/>.</param>
/// <param name="Name">The type of a condition, or the key of a taint.</param>
/// <param name="IsTaint">Whether it is a taint; else a condition.</param>
/// <param name="BadStatus">For a condition: the status that means trouble, true or false.</param>
public sealed record NodeSign(FailureKind Kind, string Name, bool IsTaint, bool BadStatus = true);
