namespace TrainingSupervisor;

/// <summary>A condition in code. A rule with one cannot be written as JSON or YAML.</summary>
/// <param name="Description">The condition in words, as it reads after "when".</param>
/// <param name="Holds">The condition. It must depend on nothing but the context.</param>
public sealed record PolicyPredicate(string Description, Func<FailureContext, bool> Holds);
