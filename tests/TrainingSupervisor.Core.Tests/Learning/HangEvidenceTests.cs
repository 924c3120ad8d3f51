using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Learning;

public sealed class HangEvidenceTests
{
    private static ProgressDriver Trained(int workers = 4)
    {
        var gang = new ProgressDriver(Specs.Gang(workers, 0, g => g.WithHangDiagnostics(["py-spy", "dump"], TimeSpan.FromSeconds(10))).Build());
        for (var step = 0; step < 300; step++) gang.AllDo(1, step);
        return gang;
    }

    [Fact]
    public void Step_SomeAreBehind_TheyAreAskedAndTheirAnswersAreInTheFailureAtTheLimit()
    {
        var gang = Trained();
        gang.After(1, gang.Say(0, 300), gang.Say(3, 300));
        gang.After(10);
        Assert.Equal([gang.Pod(1).Name, gang.Pod(2).Name], gang.Commands.Select(c => c.Pod));
        Assert.All(gang.Commands, c => Assert.Equal("py-spy dump", string.Join(' ', c.Command)));
        Assert.Equal(2, gang.Commands.DistinctBy(c => c.Id).Count());
        gang.After(1, ProgressDriver.Answer(gang.Commands[0], "main: recv"), ProgressDriver.Answer(gang.Commands[1], new string('x', 9000) + "the end"));
        Assert.Empty(gang.Found);
        gang.After(4);
        var hang = Assert.Single(gang.Hangs);
        Assert.Contains($"== {gang.Pod(1).Name}: py-spy dump ended\nmain: recv\n", hang.Diagnostics, StringComparison.Ordinal);
        Assert.EndsWith("the end\n", hang.Diagnostics, StringComparison.Ordinal);
        Assert.InRange(hang.Diagnostics.Length, 4096, 4400);
    }

    [Fact]
    public void Step_NobodyAnswers_IsReportedWhenTheTimeIsOver()
    {
        var gang = Trained();
        var last = gang.Now;
        gang.After(60);
        var (at, hang) = Assert.Single(gang.Found);
        Assert.Equal(last + TimeSpan.FromSeconds(20), at);
        Assert.Contains("did not answer in time", hang.Diagnostics, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_SomebodyGoesOnMeanwhile_NothingIsReported()
    {
        var gang = Trained();
        gang.After(12);
        Assert.Equal(4, gang.Commands.Count);
        gang.After(1, gang.Say(1, 300));
        gang.After(1, ProgressDriver.Answer(gang.Commands[0], "too late"));
        Assert.Empty(gang.Found);
        Assert.Equal((Stage.Running, 1), (gang.State.Stage, gang.State.Attempt));
        Assert.Contains(gang.Notices, n => n.StartsWith("suspected of a hang and not", StringComparison.Ordinal));
        gang.After(11);
        Assert.Equal(7, gang.Commands.DistinctBy(c => c.Id).Count());
    }

    [Fact]
    public void Step_ManyAreAtOneStep_EightSpreadOverTheRanksAreAsked()
    {
        var gang = Trained(workers: 40);
        gang.After(10);
        Assert.Equal([0, 5, 10, 15, 20, 25, 30, 35], gang.Commands.Select(c => gang.State.Workers.IndexOf(c.Pod)));
    }

    [Fact]
    public void Step_NoCommandConfigured_NothingIsRun()
    {
        var gang = new ProgressDriver(Specs.Gang().Build());
        for (var step = 0; step < 100; step++) gang.AllDo(1, step);
        gang.After(60);
        Assert.Empty(gang.Commands);
        Assert.Equal("", Assert.Single(gang.Hangs).Diagnostics);
    }
}
