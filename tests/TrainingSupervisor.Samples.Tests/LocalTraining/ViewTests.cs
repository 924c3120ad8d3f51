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
        LossLine[] losses = [new(1, 4, 1), new(2, 4, 1), new(3, 4, 1), new(2, 4, 2), new(3, 4, 2), new(4, 4, 2), new(5, 4, 3)];
        Summary.Print([Runs.Recovery(2), Runs.Recovery(3, commanded: false), Runs.Recovery(4)], losses, text, width);
        var words = string.Join(' ', text.ToString().Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

        Assert.All(text.ToString().Split('\n'), line => Assert.InRange(line.TrimEnd().Length, 0, width));
        Assert.Matches("attempt.* cause.* culprit.* plan.* steps.* lost", words);
        Assert.Equal(["2 2", "3 0", "4 -"], text.ToString().Split('\n').Where(l => l.Contains("NodeLost", StringComparison.Ordinal)).Select(l => $"{l.Trim()[0]} {l.Trim()[^1]}"));
        Assert.Matches("detected.* decided.* commanded.* restarted.* barrier.* released.* first", words);
        Assert.Contains("2 31 82 93 1644 3905 4116 6547", words, StringComparison.Ordinal);
        Assert.Contains("3 31 82 - 1644 3905 4116 6547", words, StringComparison.Ordinal);
        Assert.Contains("killed before it could say when", words, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_MoveStragglerAndDrainedNode_SayWhoWhereAndWhatItCost()
    {
        var run = Runs.Of(4, events: 0);
        run.Take(new SupervisorLine { PlannedAttempt = 2 });
        run.Take(new SupervisorLine { Move = Runs.Move(2) });
        run.Take(new SupervisorLine { Straggler = new StragglerLine(Runs.Start, 3, "trainer-3 on node-3", "twice its peers' time") });
        run.Take(new SupervisorLine { Recovery = Runs.Recovery(2) with { Cause = "NodeDraining: the node goes", Culprit = "trainer-1 on node-1", Cost = "restart 0.7 s (expected 0.8 s)" } });
        LossLine[] losses = [new(1, 4, 1), new(2, 4, 1), new(3, 4, 2)];

        Assert.Equal(
            [
                "attempt 2: restart 0.7 s (expected 0.8 s)",
                "moved in attempt 2: rank 1: spare llm-trainer-spare-1 on node-99 takes over from llm-trainer-1-1 on node-1",
                "straggler: rank 3, trainer-3 on node-3: twice its peers' time",
                "drained node: trainer-1 on node-1 moved after step 2, no step lost",
                "steps lost in all recoveries: 0 of 360",
            ],
            Summary.Lines(run, losses));
    }

    [Fact]
    public void In_AttemptGoesBackToACheckpoint_CountsTheStepsDoneBefore()
    {
        LossLine[] losses = [new(1, 4, 1), new(2, 4, 1), new(3, 4, 1), new(2, 4, 4), new(3, 4, 4), new(4, 4, 4)];

        Assert.Equal(new Resumption(4, After: 1, Lost: 2), Resumption.In(losses, 4));
        Assert.Equal(new Resumption(4, After: 1, Lost: 2), Resumption.Next(losses, 1));
        Assert.Null(Resumption.In(losses, 3));
        Assert.Null(Resumption.Next(losses, 4));
    }

    [Fact]
    public void Take_PlanThatGrowsIsToldAgain_MoveIsOneLineWithBothPlaces()
    {
        var run = Runs.Of(2, events: 0);
        run.Take(new SupervisorLine { Move = Runs.Move(4) });
        run.Take(new SupervisorLine { Move = Runs.Move(4) });

        Assert.Equal("rank 1: spare llm-trainer-spare-1 on node-99 takes over from llm-trainer-1-1 on node-1", run.Events()[^1].Text);
        Assert.Single(run.Events(), e => e.Text.Contains("takes over", StringComparison.Ordinal));
    }

    [Fact]
    public void Take_SpareWaits_IsALineOnce()
    {
        var run = Runs.Of(2, events: 0);
        run.Take(new SupervisorLine { Status = run.Status });

        Assert.Equal(["spare llm-trainer-spare-1 on node-99 waits at the barrier"], run.Events().Select(e => e.Text));
    }

    [Fact]
    public void StateOf_WorkerNamedAStraggler_IsOneUntilTheNextAttempt()
    {
        var run = Runs.Of(4);
        run.Take(new SupervisorLine { Straggler = new StragglerLine(Runs.Start, 2, "trainer-2", "slow") });
        Assert.Equal(["Running", "Restarting", RunState.Straggler, "Running", "Waiting"], run.Status!.Workers.Select(run.StateOf));
        run.Take(new SupervisorLine { PlannedAttempt = 5 });

        Assert.DoesNotContain(RunState.Straggler, run.Status!.Workers.Select(run.StateOf));
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
        run.Take(new SupervisorLine { Move = Runs.Move(2) with { At = run.Started.AddSeconds(1) } });
        Timeline.Save(run, [.. Enumerable.Range(1, 100).Select(i => new LossLine(i, 5 - (i / 40.0), 1 + (i / 60)))], directory["picture.png"]);
        var bytes = File.ReadAllBytes(directory["picture.png"]);

        Assert.Equal("\u0089PNG", string.Concat(bytes.Take(4).Select(b => (char)b)));
        Assert.Equal((1500, 960), (System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(16)), System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(20))));
    }
}
