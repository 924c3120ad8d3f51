using LocalTraining.Running;
using LocalTraining.View;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class ViewTests
{
    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void Print_Recoveries_HasCauseCulpritPlanAndTheSplit(int width)
    {
        var text = new StringWriter();
        Summary.Print([Runs.Recovery(2), Runs.Recovery(3, commanded: false)], text, width);
        var words = string.Join(' ', text.ToString().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

        Assert.All(text.ToString().Split('\n'), line => Assert.InRange(line.TrimEnd().Length, 0, width));
        Assert.Matches("attempt.* cause.* culprit.* plan", words);
        Assert.Matches("detected.* decided.* commanded.* restarted.* barrier.* released.* first", words);
        Assert.Contains("2 31 82 93 1644 3905 4116 6547", words, StringComparison.Ordinal);
        Assert.Contains("3 31 82 - 1644 3905 4116 6547", words, StringComparison.Ordinal);
        Assert.Contains("killed before it could say when", words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PlainAsync_WhatHappens_IsALineEach()
    {
        var run = Runs.Of(2, events: 1);
        var finished = new TaskCompletionSource();
        var text = new StringWriter();
        var showing = LiveView.PlainAsync(run, text, finished.Task);
        run.Take(new SupervisorLine { Event = new EventLine(run.Started.AddSeconds(1.5), "info", "plan for attempt 4") });
        finished.SetResult();
        await showing;

        Assert.Contains("   0.00 s  warning event 0:", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("   1.50 s  info    plan for attempt 4", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("step 101 of 360", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Step_GangGoesBackToACheckpoint_GoesBackToo()
    {
        var run = Runs.Of(2);
        run.Take(new SupervisorLine { Status = new GangStatusLine("Recovering", 4, [new WorkerLine(0, "trainer-0", "p", "n", "Waiting", 0, -1)]) });
        Assert.Equal(101, run.Step);
        run.Take(new SupervisorLine { Status = new GangStatusLine("Running", 4, [new WorkerLine(0, "trainer-0", "p", "n", "Running", 4, 91)]) });
        Assert.Equal(91, run.Step);
    }

    [Fact]
    public void Spans_SupervisorIsKilled_NobodyKnowsUntilTheNextSpeaks()
    {
        var run = Runs.Of(1);
        run.SupervisorGone();
        run.Take(new SupervisorLine { Status = new GangStatusLine("Running", 4, [new WorkerLine(0, "trainer-0", "p", "n", "Running", 4, 91)]) });

        Assert.Equal(["Running", RunState.Unseen, "Running"], run.Spans().Select(s => s.State));
    }

    [Fact]
    public void StateOf_AgentsLeaveAfterSuccess_IsDoneAndNoRestart()
    {
        var run = Runs.Of(1);
        run.Take(new SupervisorLine { Status = new GangStatusLine("Succeeded", 4, [new WorkerLine(0, "trainer-0", "p", "n", "Restarting", 4, 360)]) });

        Assert.Equal([RunState.Done], run.Status!.Workers.Select(run.StateOf));
    }

    [Fact]
    public void Read_LossFileWithATornLine_IsTheWholeOnes()
    {
        using var directory = new TempDirectory();
        var file = directory.Write("loss.csv", "1,4.5,1,1700000000000\n2,4.25,1,17000000\n3,4\n3,4,2,1700000000002\n");

        Assert.Equal([new LossLine(1, 4.5, 1), new LossLine(3, 4, 2)], LossLine.Read(file));
    }

    [Fact]
    public void Save_AnyRun_IsAPngOfItsSize()
    {
        using var directory = new TempDirectory();
        var run = Runs.Of(8);
        run.Fault("kill -9 of rank 1's worker process", 60);
        Timeline.Save(run, [.. Enumerable.Range(1, 100).Select(i => new LossLine(i, 5 - (i / 40.0), 1 + (i / 60)))], directory["picture.png"]);
        var bytes = File.ReadAllBytes(directory["picture.png"]);

        Assert.Equal("\u0089PNG", string.Concat(bytes.Take(4).Select(b => (char)b)));
        Assert.Equal((1500, 960), (System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(16)), System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(20))));
    }
}
