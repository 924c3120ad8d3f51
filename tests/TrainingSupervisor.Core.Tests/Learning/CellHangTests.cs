using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>A cell that hangs while others go on, and what looks like that. Three cells of two workers; cell 2 is the one in question.</summary>
public sealed class CellHangTests
{
    private static readonly int[] Everyone = [0, 1, 2, 3, 4, 5], Others = [0, 1, 2, 3], Cell = [4, 5];

    private static GangSpec Spec(Action<GangBuilder>? more = null, int cells = 2)
    {
        var builder = Gang.Create("llm").AddRole("trainer", r => r.WithCount(6).WithCells(cells).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1));
        more?.Invoke(builder);
        return builder.Build();
    }

    private static ProgressDriver Trained(Action<GangBuilder>? more = null, int cells = 2)
    {
        var gang = new ProgressDriver(Spec(more, cells));
        gang.NextAttempt();
        gang.AllDo(20, 0);
        for (var step = 1; step < 400; step++) gang.AllDo(1, step);
        return gang;
    }

    /// <summary>The others do a step a second for so long.</summary>
    private static void OthersGoOn(ProgressDriver gang, double seconds)
    {
        var from = gang.Pod(0).Progress!.Step;
        for (var i = 1; i <= seconds; i++) gang.Do(1, Others, from + i);
    }

    private static AgentSeen Seen(ProgressDriver gang, int rank, AgentPhase phase = AgentPhase.Running) => new(
        gang.Pod(rank).Name, gang.Pod(rank).Uid!, gang.Pod(rank).Role, gang.Pod(rank).Address, gang.Pod(rank).Node!,
        gang.Pod(rank).Agent! with { Phase = phase, Exit = phase == AgentPhase.Exited ? new WorkerExit() : null });

    private static AgentGone Gone(ProgressDriver gang, int rank) => new(gang.Pod(rank).Name, gang.Pod(rank).Uid!, gang.Pod(rank).Agent!.Instance, gang.Now);

    [Fact]
    [Sees(FailureKind.Hang)]
    public void Step_CellStandsWhileOthersGoOn_ItsFurthestBehindIsNamedAtTheLimit()
    {
        var gang = Trained();
        gang.After(1, gang.Say(4, 400));
        var last = gang.Now;
        OthersGoOn(gang, 14);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        var (at, hang) = Assert.Single(gang.Found);
        Assert.Equal((FailureKind.Hang, last, last.AddSeconds(15), "trainer-5", gang.Pod(5).Name), (hang.Kind, hang.At, at, hang.Worker.ToString(), hang.Pod));
        Assert.StartsWith("no step in cell trainer/2 for 15 s, while others go on, the limit of 15 s where the 99th percentile of", hang.Evidence, StringComparison.Ordinal);
        Assert.Contains("furthest behind, at step 399 where others are at 400: trainer-5", hang.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    [Sees(FailureKind.Hang)]
    public void Step_CellStandsAtOneStep_AWorkerOfItIsNamed()
    {
        var gang = Trained();
        OthersGoOn(gang, 20);
        var hang = Assert.Single(gang.Hangs);
        Assert.Equal("trainer-4", hang.Worker.ToString());
        Assert.EndsWith("all of trainer/2 are at step 399, so the steps do not tell who hangs", hang.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_TwoCellsStand_BothAreFound()
    {
        var gang = Trained();
        for (var step = 400; step < 416; step++) gang.Do(1, [0, 1], step);
        Assert.Equal(["trainer-2", "trainer-4"], gang.Hangs.Select(h => h.Worker.ToString()));
    }

    [Fact]
    public void Step_CellOfAnAttemptOfItsOwnStands_IsFoundAtItsOwnLimit()
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        OthersGoOn(gang, 20);
        for (var step = 390; step < 400; step++)
        {
            gang.Do(0.5, Cell, step);
            OthersGoOn(gang, 1);
        }

        OthersGoOn(gang, 13);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        Assert.Equal("trainer-4", Assert.Single(gang.Hangs).Worker.ToString());
    }

    [Fact]
    [Sees(FailureKind.Hang)]
    public void Step_CellJustReleasedDoesNoFirstStep_HangsAtTheLimitOfStarts()
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        OthersGoOn(gang, 299);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        var hang = Assert.Single(gang.Hangs);
        Assert.Contains("no step in cell trainer/2 for 5 min, while others go on, the limit of 5 min for the first steps of an attempt, which took 20 s at most", hang.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_FixedTimeout_HoldsForCellsThatReport()
    {
        var gang = Trained(g => g.WithHangTimeout(TimeSpan.FromSeconds(40)));
        OthersGoOn(gang, 39);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        Assert.Contains("no step in cell trainer/2 for 40 s, while others go on, the fixed limit of 40 s", Assert.Single(gang.Hangs).Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_Diagnostics_ItsWorkersAreAskedAheadAndTheirAnswersAreInTheFailure()
    {
        var gang = Trained(g => g.WithHangDiagnostics(["py-spy", "dump"], TimeSpan.FromSeconds(10)));
        OthersGoOn(gang, 10);
        Assert.Equal([gang.Pod(4).Name, gang.Pod(5).Name], gang.Commands.Select(c => c.Pod));
        gang.After(0.5, ProgressDriver.Answer(gang.Commands[0], "main: recv"), ProgressDriver.Answer(gang.Commands[1], "main: send"));
        OthersGoOn(gang, 4);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        Assert.Contains("main: recv", Assert.Single(gang.Hangs).Diagnostics, StringComparison.Ordinal);
        Assert.Contains("main: send", gang.Hangs.Single().Diagnostics, StringComparison.Ordinal);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_CellGoesOnAfterEvidenceWasAsked_NothingIsReported()
    {
        var gang = Trained(g => g.WithHangDiagnostics(["py-spy", "dump"], TimeSpan.FromSeconds(10)));
        OthersGoOn(gang, 12);
        Assert.Equal(2, gang.Commands.Count);
        gang.Do(0, Cell, 400);
        OthersGoOn(gang, 9);
        Assert.Empty(gang.Found);
        Assert.Contains(gang.Notices, n => n.StartsWith("cell trainer/2 was suspected of a hang and is not", StringComparison.Ordinal));
        OthersGoOn(gang, 1);
        Assert.Equal(4, gang.Commands.DistinctBy(c => c.Id).Count());
    }

    [Theory]
    [LeavesAlone(FailureKind.Hang)]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_CellSavesInAnAnnouncedPhase_IsNoHang(bool both)
    {
        var gang = Trained();
        for (var i = 0; i < 3; i++)
        {
            gang.Do(0.1, both ? Cell : [5], 399 + (i * 5), "checkpoint");
            OthersGoOn(gang, 600);
            gang.Do(0.1, both ? Cell : [5], 399 + (i * 5));
            OthersGoOn(gang, 13);
            for (var step = 1; step <= 5; step++) gang.Do(1, Everyone, 399 + (i * 5) + step);
        }

        Assert.Empty(gang.Found);
        // And such a pause teaches nothing of the steps.
        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_CellJustReleasedCompiles_IsNoHang()
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        OthersGoOn(gang, 250);
        for (var step = 390; step < 393; step++)
        {
            gang.Do(0, Cell, step);
            OthersGoOn(gang, 100);
        }

        Assert.Empty(gang.Found);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_CellIsCutOffFromUs_IsNoHangUntilItHasHadTimeToTell()
    {
        var gang = Trained();
        OthersGoOn(gang, 4);
        gang.After(0, Gone(gang, 4), Gone(gang, 5));
        OthersGoOn(gang, 4);
        gang.After(0, Seen(gang, 4), Seen(gang, 5));
        OthersGoOn(gang, 14);
        Assert.Empty(gang.Found);
        gang.After(0, Gone(gang, 5));
        OthersGoOn(gang, 3);
        Assert.Empty(gang.Found);
        gang.After(0, Seen(gang, 5));
        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_AgentsThatMayBeCutOffAndNotKnownToBe_AreGivenFiveHeartbeats()
    {
        var gang = Trained(g => g.WithHeartbeat(TimeSpan.FromSeconds(10)).WithFence(TimeSpan.FromSeconds(30)));
        OthersGoOn(gang, 49);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 1);
        Assert.Single(gang.Hangs);
    }

    [Theory]
    [LeavesAlone(FailureKind.Hang)]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_CellIsDone_IsNoHang(bool both)
    {
        var gang = Trained();
        gang.After(1, Seen(gang, 4, AgentPhase.Exited));
        if (both) gang.After(1, Seen(gang, 5, AgentPhase.Exited));
        OthersGoOn(gang, 3600);
        Assert.Empty(gang.Found);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_SlowCellStillSteps_IsNoHangAndItsHangIsFoundByItsOwnPace()
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        OthersGoOn(gang, 30);
        for (var step = 0; step <= 310; step++)
        {
            gang.Do(0, Cell, step);
            OthersGoOn(gang, 60);
        }

        Assert.Empty(gang.Found);
        OthersGoOn(gang, 110);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 10);
        Assert.Contains("where the 99th percentile of its own 310 steps is", Assert.Single(gang.Hangs).Evidence, StringComparison.Ordinal);
    }

    [Fact]
    [LeavesAlone(FailureKind.Hang)]
    public void Step_CellThatNeverReports_IsNoHang()
    {
        var gang = new ProgressDriver(Spec());
        for (var step = 0; step < 8000; step++) gang.Do(1, Others, step);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_AllStandStill_IsOneHangOfTheGang()
    {
        var gang = Trained();
        gang.Do(1, Others, 400);
        gang.After(60);
        var hang = Assert.Single(gang.Hangs);
        Assert.StartsWith("no step anywhere for", hang.Evidence, StringComparison.Ordinal);
        Assert.Contains("furthest behind, at step 399 where others are at 400: trainer-4, trainer-5", hang.Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [LeavesAlone(FailureKind.Hang)]
    [InlineData(8)]
    [InlineData(14)]
    public void Step_AllStoodStillAndOthersGoOnFirst_TheCellHasTheWholeLimitAgain(double seconds)
    {
        var gang = Trained();
        gang.After(seconds);
        OthersGoOn(gang, 14);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 2);
        Assert.Equal("trainer-4", Assert.Single(gang.Hangs).Worker.ToString());
    }

    [Theory]
    [LeavesAlone(FailureKind.Hang)]
    [InlineData(0, 14.2)]
    [InlineData(0, 15.5)]
    [InlineData(0, 600)]
    [InlineData(9, 7)]
    public void Step_SupervisorStoodStill_WhatTheCellDidMeanwhileIsReadFirst(int before, double seconds)
    {
        var gang = Trained();
        OthersGoOn(gang, 4);
        gang.Do(0, Cell, 400);
        OthersGoOn(gang, before);
        gang.StandStill(TimeSpan.FromSeconds(seconds), [.. Others.Select(r => gang.Say(r, 500))]);
        gang.Do(0.7, Cell, 500);
        for (var step = 501; step < 520; step++) gang.AllDo(1, step);
        Assert.Empty(gang.Found);
        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    public void Step_SupervisorStandsStillAgainAndAgain_LearnsNothingFromThat()
    {
        var gang = Trained();
        for (var i = 1; i <= 10; i++)
        {
            gang.StandStill(TimeSpan.FromMinutes(10), [.. Everyone.Select(r => gang.Say(r, 1000 * i))]);
            for (var step = 1; step < 5; step++) gang.AllDo(1, (1000 * i) + step);
        }

        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    public void Step_AllStoodStillWhenACellHadJustBegun_IsNotItsOwnPace()
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        for (var step = 400; step < 410; step++) gang.AllDo(1, step);
        gang.AllDo(14, 410);
        gang.AllDo(1, 411);
        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    public void Step_CellStandsWhereItWasSaidToHang_GetsTimeAndTeachesThePause()
    {
        var gang = Trained();
        OthersGoOn(gang, 15);
        Assert.Single(gang.Hangs);
        gang.NextAttempt(Cell);
        for (var step = 390; step < 400; step++)
        {
            gang.Do(0.5, Cell, step);
            OthersGoOn(gang, 1);
        }

        OthersGoOn(gang, 60);
        gang.Do(0, Cell, 400);
        Assert.Single(gang.Hangs);
        Assert.Single(gang.Notices, n => n.StartsWith("no step in cell trainer/2 since step 399, where it stood still before", StringComparison.Ordinal));
        OthersGoOn(gang, 180);
        Assert.Single(gang.Hangs);
        OthersGoOn(gang, 4);
        Assert.Equal(2, gang.Hangs.Count());
    }

    [Fact]
    public void Step_IgnoredHangOfACell_IsToldOnceForEachSilence()
    {
        var gang = Trained(g => g.WithPolicy(p => p.On(FailureKind.Hang, RecoveryStrategy.Ignore)));
        OthersGoOn(gang, 4000);
        Assert.Single(gang.Hangs);
        for (var step = 5000; step < 14_000; step++) gang.AllDo(1, step);
        OthersGoOn(gang, 4000);
        Assert.Equal(2, gang.Hangs.Count());
    }

    [Fact]
    public void Step_OneCellIsTheWholeRole_HangsAsAGang()
    {
        var gang = Trained(cells: 6);
        OthersGoOn(gang, 100);
        Assert.Empty(gang.Found);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_HangOfACellInTheMachine_RestartsThatCellOnce(bool takenOver)
    {
        var world = World.Running(Spec(g => g.WithPolicy(p => p.On(FailureKind.Hang, RecoveryStrategy.RestartCell))));
        var step = 0;
        void Steps(int seconds, IEnumerable<int> ranks)
        {
            for (var i = 0; i < seconds; i++)
            {
                step++;
                foreach (var rank in ranks) world.Progress(world.PodOf(rank), step);
                world.Run(TimeSpan.FromSeconds(1));
            }
        }

        Steps(50, Everyone);
        if (takenOver)
        {
            // Found running at this step, and its warm-up may be before it.
            world.CrashSupervisor(500);
            world.Run(TimeSpan.FromSeconds(2));
            Steps(1, Everyone);
            Steps(1700, Others);
            Assert.Empty(world.Events.OfType<FailureDetected>());
            Steps(102, Others);
        }
        else
        {
            Steps(40, Others);
        }

        Assert.Equal([1, 1, 1, 1, 2, 2], Everyone.Select(r => world.PodOf(r).Attempt));
        Steps(60, Everyone);
        var failure = Assert.Single(world.Events.OfType<FailureDetected>()).Failure;
        Assert.Equal((FailureKind.Hang, "trainer-4"), (failure.Kind, failure.Worker.ToString()));
        Assert.Equal("trainer/2", world.Events.OfType<RecoveryPlanned>().Last().Plan.Scope);
        Assert.Equal((GangPhase.Running, Stage.Running, 2), (world.State.Phase, world.State.Stage, world.State.Attempt));
    }

    /// <summary>Its workers compile, and a step of all needs them: nobody hangs.</summary>
    [Theory]
    [LeavesAlone(FailureKind.Hang)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Step_OthersWaitForACellThatWasRestarted_HaveTheTimeOfItsFirstStep(int stepsBeforeTheyWait)
    {
        var gang = Trained();
        gang.NextAttempt(Cell);
        OthersGoOn(gang, stepsBeforeTheyWait);
        gang.Do(250, Cell, 390);
        Assert.Empty(gang.Found);
    }
}
