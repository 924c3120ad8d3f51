using System.Globalization;
using Xunit.Abstractions;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>The embedded cluster against recordings of a real Kubernetes 1.36.</summary>
public sealed class ConformanceTests(ConformanceRun run, ITestOutputHelper output) : IClassFixture<ConformanceRun>
{
    public static TheoryData<string> Names()
    {
        var names = new TheoryData<string>();
        foreach (var scenario in ConformanceRun.Scenarios)
        {
            names.Add(scenario.Name);
        }

        return names;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Scenario_PlayedHere_ShowsWhatWasRecorded(string name)
    {
        var result = run.Results.Single(r => r.Scenario.Name == name);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Took.TotalSeconds:0.0} s"));
        if (KnownDifferences.ReasonOf(name) is { } reason)
        {
            Assert.True(result.Differences.Count > 0, $"{name} agrees with the recording: take it off the list of known differences ({reason}).");
        }
        else
        {
            Assert.True(result.Differences.Count == 0, string.Join('\n', result.Differences));
        }
    }

    [Fact]
    public void Scenarios_AllTogether_AtLeastNineInTenPass()
    {
        output.WriteLine(ConformanceReport.Write(run.Results));
        var passed = run.Results.Count(r => r.Differences.Count == 0);
        var all = run.Results.Count + KnownDifferences.Impossible.Count;
        Assert.True(passed * 10 >= all * 9, $"{passed} of {all}");
    }

    [Fact]
    public void Recordings_Every_BelongsToAScenario()
    {
        var played = ConformanceRun.Scenarios.Select(s => s.Name).ToHashSet();
        var answers = new[] { "delete-grace.response", "delete-force0.response", "eviction.response", "ra-delete-during.delete-response" };
        var recorded = Recording.Names("Pods").Concat(Recording.Names("Nodes")).Concat(Recording.Names("Http")).Concat(Recording.Names("Watches")).Distinct();
        Assert.Equal([], recorded.Except(played).Except(answers));
    }
}
