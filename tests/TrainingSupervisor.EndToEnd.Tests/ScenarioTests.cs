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
    public async Task Scenario_Broken_RecoversAsTheDecisionsSay(string name)
    {
        var row = await (await run.RowsAsync())[name];
        output.WriteLine(row.ToString());
        Assert.NotEmpty(row.Seen);
    }
}
