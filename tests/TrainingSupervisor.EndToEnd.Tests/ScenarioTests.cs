using TrainingSupervisor.EndToEnd.Tests.Scenarios;
using Xunit.Abstractions;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>What can break, broken for real, and what must come of it; the table in docs/recovery-decisions.md is what this saw.</summary>
[Collection(nameof(OneAtATime))]
public sealed class ScenarioTests(ScenarioRun run, ITestOutputHelper output) : IClassFixture<ScenarioRun>
{
    public static TheoryData<string> Names() => [.. ScenarioRun.Chosen.Select(s => s.Name)];

    [EmbeddedTheory("it breaks nodes and kubelets")]
    [MemberData(nameof(Names))]
    public async Task Scenario_Broken_ComesToWhatTheDecisionsSay(string name)
    {
        var row = await (await run.RowsAsync())[name];
        output.WriteLine($"{ScenarioTable.Line(row)} | {row.Times} |");
        Assert.Contains(ScenarioTable.Line(row), ScenarioTable.Read());
    }

    [EmbeddedFact("it breaks nodes and kubelets")]
    public async Task Page_Table_IsWhatWasSeen()
    {
        var results = await run.RowsAsync();
        var rows = await Task.WhenAll(ScenarioRun.Chosen.Select(s => results[s.Name]));
        if (ScenarioRun.Chosen.Count < ScenarioRun.All.Count) return;
        Assert.True(
            ScenarioTable.Read().SequenceEqual(rows.Select(ScenarioTable.Line)),
            $"docs/recovery-decisions.md says something else than this run saw. If that is right now, write it: {ScenarioTable.Variable}=1 and this test again.");
    }

    [Fact]
    public void Scenarios_Together_ShowEveryKindOfFailure() =>
        Assert.Equal([], Enum.GetValues<FailureKind>().Except(ScenarioRun.All.Select(s => s.Kind).OfType<FailureKind>()));
}
