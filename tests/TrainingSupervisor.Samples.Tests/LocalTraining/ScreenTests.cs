using LocalTraining.View;
using Spectre.Console;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class ScreenTests
{
    [Theory]
    [InlineData(2, 80, 24)]
    [InlineData(8, 80, 24)]
    [InlineData(8, 120, 40)]
    [InlineData(12, 80, 24)]
    [InlineData(20, 80, 24)]
    [InlineData(64, 80, 24)]
    [InlineData(64, 120, 40)]
    [InlineData(64, 240, 60)]
    [InlineData(8, 44, 10)]
    public void Render_AnyTerminal_FitsIt(int workers, int width, int height)
    {
        var lines = Draw(Runs.Of(workers), width, height);

        Assert.InRange(lines.Count, 1, Math.Max(height - 1, 12));
        Assert.All(lines, line => Assert.InRange(line.Length, 0, width));
    }

    [Theory]
    [InlineData(8, 80, 24)]
    [InlineData(8, 120, 40)]
    [InlineData(20, 80, 24)]
    [InlineData(64, 240, 60)]
    public void Render_GangThatFits_ShowsEveryRankWithNodeStateAttemptAndStep(int workers, int width, int height)
    {
        var text = string.Join('\n', Draw(Runs.Of(workers), width, height));

        for (var rank = 0; rank < workers; rank++)
        {
            Assert.Matches($@"(^|\s){rank} .*node-{rank} +{(rank == 1 ? "Restarting" : "Running")} +3 +{100 + rank}(\s|$)", text);
        }

        Assert.Matches(@"spare .*node-99 +Waiting", text);
    }

    [Fact]
    public void Render_GangThatDoesNotFit_CountsTheRest()
    {
        var text = string.Join('\n', Draw(Runs.Of(64), 80, 24));

        Assert.Matches(@"and \d+ more: \d+ Running, 1 Waiting", text);
    }

    [Fact]
    public void Render_AnyRun_ShowsPhaseProgressNextFaultAndTheLastEvents()
    {
        var lines = Draw(Runs.Of(8), 80, 24);
        var text = string.Join('\n', lines);

        Assert.Contains("Running, attempt 3, step 107 of 360", text, StringComparison.Ordinal);
        Assert.Contains("30 %", text, StringComparison.Ordinal);
        Assert.Contains("next fault: step 300: kill -9", text, StringComparison.Ordinal);
        Assert.Contains("event 29:", lines[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("second line", text, StringComparison.Ordinal);
    }

    private static List<string> Draw(RunState run, int width, int height)
    {
        var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No });
        console.Profile.Width = width;
        console.Write(new Screen(run, width, height));
        return [.. text.ToString().TrimEnd().Split('\n').Select(l => l.TrimEnd())];
    }
}
