using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>Whatever a policy says, the design's "never"s hold, and each recovery ends.</summary>
public sealed class PolicyNeverTests
{
    [Fact]
    public void Machine_RandomPoliciesAndFaults_KeepsEveryNeverAndEnds() => Parallel.For(0, 300, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
    {
        var random = new Random(seed);
        var world = new World(seed, Spec(random), nodes: 20);
        world.Command = (pod, _) =>
        {
            var sick = random.Next(8) == 0;
            pod.Faulty |= sick;
            return (sick ? 1 : 0, "sick");
        };
        world.Run(TimeSpan.FromSeconds(20));
        for (var i = random.Next(1, 10); i > 0 && !world.State.IsOver; i--)
        {
            var pods = world.Pods.Values.ToList();
            Fault(world, pods[random.Next(pods.Count)], random);
            world.Run(TimeSpan.FromMilliseconds(random.Next(0, random.Next(2) == 0 ? 300 : 12000)));
        }

        world.Run(TimeSpan.FromMinutes(20));
        Assert.True(world.State.IsOver || world.State.Stage == Stage.Running, $"seed {seed}: {world.State.Stage} since {world.State.StageSince}\n{string.Join('\n', world.Log)}");
        Assert.True(world.Ordered.Count <= 120, $"seed {seed}: {world.Ordered.Count} Pods were made\n{string.Join('\n', world.Log)}");
    });

    private static GangSpec Spec(Random random)
    {
        var spec = Gang.Create("llm").AddRole("trainer", r =>
            {
                r.WithCount(8).WithSpares(random.Next(0, 2)).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent").WithHealthCheck(["check"], interval: TimeSpan.FromSeconds(5));
                if (random.Next(2) == 0) r.WithCells(2);
                if (random.Next(2) == 0) r.WithMinWorkers(2, 2, TimeSpan.FromSeconds(30));
            })
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1)).WithBarrierDeadline(TimeSpan.FromMinutes(2)).Build();
        // Budgets would end most gangs before anything interesting happens.
        var policy = RandomPolicy.Make(random, TimeSpan.FromMinutes(5), ["trainer"]);
        return spec with { Policy = policy with { Budget = new(100, TimeSpan.FromMinutes(1)), KindBudgets = policy.KindBudgets.Clear(), WorkerBudget = null } };
    }

    private static void Fault(World world, SimPod pod, Random random)
    {
        switch (random.Next(9))
        {
            case 0: world.Exit(pod, random.Next(1, 100)); break;
            case 1: world.KillContainer(pod); break;
            case 2: world.DeleteByOthers(pod); break;
            case 3: world.CrashSupervisor(random.Next(1, 4000)); break;
            case 4: world.Blip(pod); break;
            case 5 when pod.Node is { Healthy: true, Troubled: false } node:
                world.Change(node, n => n.Cordoned = true);
                world.After(random.Next(0, 60000), () => world.Change(node, n => n.Cordoned = false));
                break;
            case 6: world.Annotate(pod, "sick"); break;
            case 7 when pod.Node is { Healthy: true } node:
                world.Partition(node);
                world.After(random.Next(0, 20000), () => world.Heal(node));
                break;
            case 8: world.RestartByOthers(pod, random.Next(1, 80), seen: random.Next(2) == 0); break;
            default: break;
        }
    }
}
