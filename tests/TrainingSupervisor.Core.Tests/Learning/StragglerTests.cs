using TrainingSupervisor.Core.Tests.Engine;

namespace TrainingSupervisor.Core.Tests.Learning;

public sealed class StragglerTests
{
    private static ProgressDriver Gang(Action<GangBuilder>? more = null, int workers = 8) => new(Specs.Gang(workers, 0, more).Build());

    private static void Train(ProgressDriver gang, int first, int steps, Func<int, long, double> own)
    {
        for (long step = first; step < first + steps; step++)
        {
            gang.After(2, [.. Enumerable.Range(0, gang.State.Workers.Length).Select(rank => gang.Say(rank, step, own: own(rank, step)))]);
        }
    }

    [Fact]
    public void Step_ReportsOfThreeStepsEach_OnlyStepsAfterTheWarmUpAreCounted()
    {
        var gang = Gang();
        for (long step = 0; step < 60; step += 3) gang.After(2, [.. Enumerable.Range(0, 8).Select(rank => gang.Say(rank, step, own: rank == 3 ? 1.5 : 1))]);
        var evidence = Assert.Single(gang.Found).Failure.Evidence;
        var counts = System.Text.RegularExpressions.Regex.Match(evidence, @"(\d+) of the last (\d+) steps");

        Assert.Equal(counts.Groups[1].Value, counts.Groups[2].Value);
    }

    [Fact]
    [Sees(FailureKind.Straggler)]
    public void Step_OneIsHalfAsSlowAgain_IsReportedOnceWithEvidenceAndNothingElseHappens()
    {
        var gang = Gang();
        Train(gang, 0, 100, (_, _) => 1);
        var before = gang.State;
        Train(gang, 100, 50, (rank, _) => rank == 3 ? 1.5 : 1);
        var found = Assert.Single(gang.Found).Failure;
        Assert.Equal((FailureKind.Straggler, "trainer-3", gang.Pod(3).Name, gang.Pod(3).Node), (found.Kind, found.Worker.ToString(), found.Pod, found.Node));
        Assert.Matches(@"its own work takes 1\.\d\d times its peers': 1\.\d+ s a step, the median is 1 s; 20 of the last 32 steps were slow", found.Evidence);
        Train(gang, 150, 200, (rank, _) => rank == 3 ? 1.5 : 1);
        Assert.Single(gang.Found);
        Assert.Equal((before.Stage, before.StageSince, before.Attempt), (gang.State.Stage, gang.State.StageSince, gang.State.Attempt));
        Assert.Equal(gang.Now, gang.State.LastAdvance);
        gang.After(15);
        Assert.Single(gang.Hangs);
    }

    [Fact]
    public void Step_StragglerInALaterAttempt_IsReportedAgain()
    {
        var gang = Gang();
        Train(gang, 0, 60, (rank, _) => rank == 3 ? 1.5 : 1);
        gang.NextAttempt();
        Train(gang, 60, 60, (rank, _) => rank == 3 ? 1.5 : 1);
        Assert.Equal(2, gang.Found.Count);
    }

    [Fact]
    public void Step_AllBecomeSlow_IsNoStraggler()
    {
        var gang = Gang();
        Train(gang, 0, 100, (_, _) => 1);
        Train(gang, 100, 100, (_, step) => step % 7 == 0 ? 9 : 3);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_AFewVeryLongSteps_AreNoStraggler()
    {
        var gang = Gang();
        Train(gang, 0, 400, (rank, step) => rank == 3 && step % 32 < 10 ? 5 : 1);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_SlowForFifteenSteps_IsNoStraggler()
    {
        var gang = Gang();
        Train(gang, 0, 400, (rank, step) => rank == 3 && step is >= 100 and < 115 ? 2 : 1);
        Assert.Empty(gang.Found);
    }

    [Fact]
    [LeavesAlone(FailureKind.Straggler)]
    public void Step_WaitsForTheOthersButWorksAsFast_IsNoStraggler()
    {
        // All steps take two seconds by the clock; nobody's own work is longer than another's.
        var gang = Gang();
        Train(gang, 0, 200, (_, _) => 1);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_NobodySaysItsOwnTime_IsNoStraggler()
    {
        var gang = Gang();
        for (var step = 0; step < 100; step++) gang.AllDo(1, step);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_SwitchedOff_IsNotReported()
    {
        var gang = Gang(g => g.WithoutStragglerDetection());
        Train(gang, 0, 100, (rank, _) => rank == 3 ? 3 : 1);
        Assert.Empty(gang.Found);
    }

    [Fact]
    public void Step_RolesOfDifferentSpeed_AreComparedWithTheirOwn()
    {
        var gang = Gang(g => g.AddRole("evaluator", r => r.WithCount(4).WithImage("e:1").WithCommand("e").WithAgentInImage("/agent")));
        Train(gang, 0, 100, (rank, _) => rank == 10 ? 9 : rank >= 8 ? 5 : 1);
        Assert.Equal("evaluator-2", Assert.Single(gang.Found).Failure.Worker.ToString());
    }

    [Fact]
    public void Step_ReportsAboutFiveStepsEach_IsFoundWithinFiftySteps()
    {
        var gang = Gang();
        for (var step = 0; step < 100; step += 5)
        {
            gang.After(1, [.. Enumerable.Range(0, 8).Select(rank => gang.Say(rank, step, own: rank == 3 && step >= 50 ? 0.3 : 0.2))]);
        }

        Assert.Single(gang.Found);
    }

    [Fact]
    public void Step_PolicyMovesStragglers_ThePodIsRecreated()
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithPolicy(p =>
            p.On(FailureKind.Straggler, r => r.Use(RecoveryStrategy.RecreateFailed).AvoidNode()))).Build(), nodes: 8);
        world.Run(TimeSpan.FromSeconds(20));
        var slow = world.PodOf(2);
        var (name, node) = (slow.Name, slow.Node);
        slow.Faulty = true;
        for (var step = 0; step < 60 && world.State.Attempt == 1; step++)
        {
            for (var rank = 0; rank < 4; rank++) world.Progress(world.PodOf(rank), step, own: rank == 2 ? 1.5 : 1);
            world.Run(TimeSpan.FromSeconds(2));
        }

        world.Run(TimeSpan.FromSeconds(30));
        Assert.Equal((GangPhase.Running, 2), (world.State.Phase, world.State.Attempt));
        Assert.NotEqual((name, node), (world.PodOf(2).Name, world.PodOf(2).Node));
    }
}
