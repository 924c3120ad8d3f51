using System.Text;
using TrainingSupervisor.Agent.Progress;
using TrainingSupervisor.Agent.Worker;
using UnhealthyBy = TrainingSupervisor.Protocol.Progress.Types.UnhealthyBy;

namespace TrainingSupervisor.Agent.Tests;

public sealed class ProgressTests
{
    [Fact]
    public void Accept_EveryKindOfLine_KeepsTheLatestOfEach()
    {
        List<string> logged = [];
        var tracker = new ProgressTracker(logged.Add);
        tracker.Reset(2);

        foreach (var line in new[] { "step 120", "checkpoint 100", "phase evaluate", "unhealthy loss is NaN", "nonsense", "step x" })
            tracker.Accept(line);

        var now = tracker.Snapshot();
        Assert.Equal((2, 120L, 100L, "evaluate", "loss is NaN"), (now.Attempt, now.Step, now.Checkpoint, now.Phase, now.Unhealthy));
        Assert.Single(logged);
        tracker.Accept("healthy");
        Assert.Equal("", tracker.Snapshot().Unhealthy);
    }

    [Fact]
    public void Accept_StepsWithTheirOwnTime_ReportsTheMeanOfEachReportsSteps()
    {
        var tracker = Tracker(out var logged);
        foreach (var line in new[] { "step 1 0.5", "step 2 1.5", "step 3", "phase train" })
            tracker.Accept(line);

        Assert.False(tracker.Snapshot().HasOwnSeconds);
        Assert.Equal((3L, 1.0), (tracker.Snapshot().Step, tracker.TakeReport().OwnSeconds));
        tracker.Accept("checkpoint 3");
        Assert.False(tracker.TakeReport().HasOwnSeconds);
        tracker.Accept("step 4 2e-1");
        Assert.Equal(0.2, tracker.TakeReport().OwnSeconds);
        tracker.Accept("step 5 3");
        tracker.Reset(3);
        tracker.Accept("step 1 1");
        Assert.Equal(1, tracker.TakeReport().OwnSeconds);
        Assert.Empty(logged);
    }

    [Theory]
    [InlineData("step 7 -1")]
    [InlineData("step 7 NaN")]
    [InlineData("step 7 Infinity")]
    [InlineData("step 7 1e400")]
    [InlineData("step 7 1e9")]
    [InlineData("step 7 0,5")]
    [InlineData("step 7 0.5 s")]
    [InlineData("step 7 x")]
    [InlineData("step x 0.5")]
    [InlineData("step -7 0.5")]
    public void Accept_StepWithATimeThatIsNone_IsIgnoredLikeOtherRubbish(string line)
    {
        var tracker = Tracker(out var logged);

        Assert.Equal(ProgressLine.Ignored, tracker.Accept(line));

        Assert.False(tracker.TakeReport().HasOwnSeconds);
        Assert.Equal(-1, tracker.Snapshot().Step);
        Assert.Single(logged);
    }

    [Fact]
    public void Snapshot_UnhealthyForSeveralReasons_NamesTheNearestAndThenTheNext()
    {
        var tracker = Tracker(out _);
        Assert.True(tracker.SetHealth("sick"));
        Assert.False(tracker.SetHealth("sick"));
        Assert.Equal(("sick", UnhealthyBy.HealthCommand), Health());
        tracker.AddPattern("CUDA error");
        Assert.Equal(("CUDA error", UnhealthyBy.LogPattern), Health());
        tracker.Accept("unhealthy loss is NaN");
        Assert.Equal(("loss is NaN", UnhealthyBy.Worker), Health());
        Assert.Equal([("CUDA error", UnhealthyBy.LogPattern), ("sick", UnhealthyBy.HealthCommand)], tracker.Snapshot().Others.Select(o => (o.Words, o.By)));
        tracker.Accept("healthy");
        Assert.Equal(("CUDA error", UnhealthyBy.LogPattern), Health());

        tracker.Reset(2);

        Assert.Equal(("", UnhealthyBy.Worker), Health());
        Assert.False(tracker.SaidAnything);

        (string, UnhealthyBy) Health() => (tracker.Snapshot().Unhealthy, tracker.Snapshot().UnhealthyBy);
    }

    private static ProgressTracker Tracker(out List<string> logged)
    {
        List<string> lines = logged = [];
        var tracker = new ProgressTracker(lines.Add);
        tracker.Reset(1);
        return tracker;
    }

    [Fact]
    public void ToString_AProgressBarAndAShortLineAfterIt_KeepsBoth()
    {
        var tail = new OutputTail(OutputTail.WorkerCapacity);
        tail.Append(Encoding.UTF8.GetBytes(new string('x', 5000) + "\nValueError\n"));

        Assert.EndsWith("xx\nValueError\n", tail.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Append_BytesInPieces_GivesWholeLinesOnly()
    {
        var buffer = new LineBuffer();

        Assert.Empty(buffer.Append("ste"u8));
        Assert.Equal(["step 1", "step 2"], buffer.Append("p 1\nstep 2\nst"u8));
        Assert.Equal(["step 3"], buffer.Append("ep 3\n"u8));
        Assert.Equal([new string('x', LineBuffer.Kept) + LineBuffer.Cut, "ok"], buffer.Append([.. Enumerable.Repeat((byte)'x', 9000), .. "\nok\n"u8]));
    }

    [Fact]
    public void ToString_MoreThanFits_KeepsTheLastWholeLines()
    {
        var tail = new OutputTail(OutputTail.WorkerCapacity);
        for (var i = 0; i < 1000; i++)
            tail.Append(Encoding.UTF8.GetBytes($"line {i}\n"));

        var text = tail.ToString();

        Assert.EndsWith("line 999\n", text, StringComparison.Ordinal);
        Assert.StartsWith("line ", text, StringComparison.Ordinal);
        Assert.InRange(Encoding.UTF8.GetByteCount(text), 4000, 4096);
    }

    [Fact]
    public void ToString_WhateverWasWritten_IsTextOfBoundedSize()
    {
        var random = new Random(3);
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        foreach (var text in new[] { "éé", "語", "😀", "a😀é", "xyz" })
        {
            for (var extra = 0; extra < 6; extra++)
            {
                var tail = new OutputTail(OutputTail.WorkerCapacity);
                tail.Append(Encoding.UTF8.GetBytes(new string('a', extra)));
                for (var i = 0; i < 3000; i++)
                    tail.Append(Encoding.UTF8.GetBytes(text));
                Assert.InRange(strict.GetByteCount(tail.ToString()), 4090, 4096);
            }
        }

        var bytes = new byte[20_000];
        random.NextBytes(bytes);
        var rubbish = new OutputTail(OutputTail.WorkerCapacity);
        rubbish.Append(bytes);
        Assert.InRange(strict.GetByteCount(rubbish.ToString()), 1, 4096);
    }

    [Fact]
    public void OomParse_BothCgroupVersions_FindsTheCount()
    {
        Assert.Equal(3, OomCounter.Parse(["low 0", "oom 9", "oom_kill 3", "oom_group_kill 1"]));
        Assert.Equal(0, OomCounter.Parse(["oom_kill_disable 0"]));
        Assert.Equal("/sys/fs/cgroup/memory.events", OomCounter.Candidates(["0::/"]).First());
    }
}
