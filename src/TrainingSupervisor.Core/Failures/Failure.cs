namespace TrainingSupervisor;

/// <summary>One classified failure, with the evidence for it.</summary>
/// <param name="Kind">What kind of thing broke.</param>
/// <param name="Evidence">What was seen, in words for a person.</param>
/// <param name="At">When it happened, as well as that is known (the agent's clock where it reported the exit).</param>
public sealed record Failure(FailureKind Kind, string Evidence, DateTimeOffset At)
{
    /// <summary>The worker that failed; null if it concerns the gang as a whole.</summary>
    public WorkerId? Worker { get; init; }

    /// <summary>The worker's Pod at that time.</summary>
    public string? Pod { get; init; }

    /// <summary>The node of that Pod.</summary>
    public string? Node { get; init; }

    /// <summary>The exit code, if the worker's process ended.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The signal that ended the worker's process, if one did.</summary>
    public int? Signal { get; init; }

    /// <summary>The last lines of the worker's stderr; empty if unknown.</summary>
    public string StderrTail { get; init; } = "";

    /// <summary>What the gang's diagnostic command said before this was reported (<see cref="GangBuilder.WithHangDiagnostics"/>); empty if there is none.</summary>
    public string Diagnostics { get; init; } = "";

    /// <summary>
    /// How it was seen: <c>agent</c>, <c>pod status</c>, <c>API server</c>, <c>node lease</c>, <c>node</c>, <c>node condition</c>, <c>node taint</c>, <c>progress</c>,
    /// <c>worker</c>, <c>health command</c>, <c>log pattern</c>, <c>pod annotation</c>, <c>node annotation</c>, <c>deadline</c>; or whatever reported it from outside.
    /// </summary>
    public string SeenBy { get; init; } = "";

    /// <summary>How far <see cref="At"/> may be off, either way: little where an agent reported it, more where a status or a silence had to tell.</summary>
    public TimeSpan Uncertainty { get; init; }

    /// <summary>When the supervisor noticed it, by the supervisor's clock.</summary>
    public DateTimeOffset Noticed { get; init; }

    /// <summary>Its worker may not stay in its Pod, nor on its node, whatever the kind says.</summary>
    internal bool IsUnfit { get; init; }

    /// <summary>It only announces something, and sets no time for it: a cordon. Nothing ends for its sake.</summary>
    internal bool CanWait { get; init; }

    /// <summary>Read from its words when it was noticed; null if it was not yet.</summary>
    internal FailureMark? Mark { get; init; }

    /// <summary>One line: kind, worker, Pod, node and evidence.</summary>
    public override string ToString() =>
        $"{Kind}{(Worker is { } w ? $" of {w}" : "")}{(Pod is null ? "" : $" in Pod {Pod}")}{(Node is null ? "" : $" on {Node}")}: {Evidence}";
}
