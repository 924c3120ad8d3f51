namespace TrainingSupervisor;

/// <summary>One rung of a rule's ladder: a strategy with its modifiers, and when it takes over from the rung before it.</summary>
/// <param name="Strategy">What is done.</param>
public sealed record PolicyRung(RecoveryStrategy Strategy)
{
    /// <summary>
    /// How many recoveries the rung before this one (or a later rung) must have answered, within <see cref="Within"/>, for this one to take
    /// over. 0 on the first rung, 1 or more on all others.
    /// </summary>
    public int After { get; init; }

    /// <summary>How far back <see cref="After"/> counts.</summary>
    public TimeSpan Within { get; init; }

    /// <summary>Whose recoveries <see cref="After"/> counts.</summary>
    public RepeatScope Per { get; init; }

    /// <summary>The failed worker gets a new Pod on another node, and its node is quarantined.</summary>
    public bool AvoidNode { get; init; }

    /// <summary>How long surviving workers get to save before they are restarted; zero for not at all, null for what the gang says.</summary>
    public TimeSpan? Quiesce { get; init; }

    /// <summary>A worker stays in its Pod only if the role's health check passes there.</summary>
    public bool CheckHealth { get; init; }

    /// <summary>The wait between recoveries that this rule answers; null for the policy's.</summary>
    public RecoveryBackoff? Backoff { get; init; }
}
