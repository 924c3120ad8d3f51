using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Whose answers a gang waits for before it ends anybody.</summary>
public sealed class QuiescenceTests
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    [Fact]
    public void Step_FirstOfAllHasSaved_TheOthersAreWaitedFor()
    {
        var (world, pods) = Asked(_ => { });
        Save(world, pods[0]);
        world.Run(Moment);
        Assert.Equal(4, Running(world));

        for (var rank = 1; rank < 4; rank++) Save(world, pods[rank]);
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    public void Step_OnlyRank0WritesCheckpoints_NobodyElseIsWaitedFor()
    {
        var (world, pods) = Asked(w => w.Progress(w.PodOf(0), step: 10, checkpoint: 10));
        Save(world, pods[0]);
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Theory]
    [InlineData("worker")]
    [InlineData("Pod")]
    [InlineData("node")]
    public void Step_FailureReportedFromOutside_MovesWhoeverItNames(string names)
    {
        var world = Started();
        var pod = world.PodOf(2);
        var failure = new Failure(FailureKind.NodeDraining, "maintenance at noon", world.Now);
        world.Report(names switch
        {
            "worker" => failure with { Worker = new WorkerId("trainer", 2) },
            "Pod" => failure with { Pod = pod.Name },
            _ => failure with { Node = pod.Node!.Name },
        });
        world.Run(Moment);
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;

        Assert.Equal((new WorkerId("trainer", 2), pod.Name, pod.Node!.Name), (plan.Cause!.Worker, plan.Cause.Pod, plan.Cause.Node));
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.RestartInPlace, RecoveryStep.ReplaceWithSpare, RecoveryStep.RestartInPlace], plan.Steps.Select(s => s.Step));
    }

    /// <summary>A gang whose workers have been asked to save, and of which none answers by itself.</summary>
    private static (World World, SimPod[] Pods) Asked(Action<World> before)
    {
        var world = Started();
        SimPod[] pods = [.. Enumerable.Range(0, 4).Select(world.PodOf)];
        before(world);
        world.SaveMilliseconds = TimeSpan.FromHours(1).TotalMilliseconds;
        world.Report(new Failure(FailureKind.NodeDraining, "maintenance at noon", world.Now) { Pod = world.PodOf(2).Name });
        world.Run(Moment);
        Assert.Equal(pods.Select(p => p.Name).Order(), world.Quiesced.Select(q => q.Pod).Order());
        return (world, pods);
    }

    private static World Started()
    {
        var world = World.Running(Specs.Gang(4, 1, g => g.WithQuiesce(TimeSpan.FromSeconds(30))).Build());
        world.PodOf(2).Faulty = true; // Its node is, as will be reported.
        return world;
    }

    /// <summary>As an agent tells it: the checkpoint is known before the answer.</summary>
    private static void Save(World world, SimPod pod)
    {
        world.Progress(pod, step: 10, checkpoint: 10);
        world.Saved(pod);
    }

    private static int Running(World world) => world.State.Pods.Values.Count(p => p.Runs(1));
}
