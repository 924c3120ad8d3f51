namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>One recording and the way to play it here. <see cref="Run"/> returns what differs, nothing when all agrees.</summary>
internal sealed record Scenario(string Group, string Name, Func<CancellationToken, Task<IReadOnlyList<string>>> Run)
{
    /// <summary>What was done otherwise than in the recording, for the table.</summary>
    public string? Note { get; init; }
}

/// <summary>How a scenario went.</summary>
internal sealed record ScenarioResult(Scenario Scenario, IReadOnlyList<string> Differences, TimeSpan Took);
