using CsCheck;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Section 8 of the design: random faults in, the "never"s out. <see cref="World"/> throws when one is broken.</summary>
public sealed class NeverTests
{
    [Fact]
    public void Machine_RandomFaults_KeepsEveryNeverAndEnds() => Check((_, g) => g);

    [Fact]
    public void Machine_RandomFaultsInAGangThatMayShrink_KeepsEveryNeverAndEnds() => Check((random, g) => g
        .WithQuiesce(TimeSpan.FromSeconds(random.Next(1, 4))).WithQuarantine(TimeSpan.FromMinutes(random.Next(0, 3))), moves: true, role: (random, workers, r) =>
        {
            if (workers > 1) r.WithMinWorkers(random.Next(1, workers), 1, TimeSpan.FromSeconds(random.Next(1, 20)));
        });

    [Fact]
    public void Machine_RandomFaultsInCells_KeepsEveryNeverAndEnds() => Check(
        (_, g) => g.WithPolicy(p => p.OnAny(RecoveryStrategy.RestartCell).WithBudget(100, TimeSpan.FromHours(1))), moves: true,
        role: (_, workers, r) => r.WithCells(workers % 2 == 0 ? 2 : 1));

    [Fact]
    public void Machine_RandomFaultsAndUnfitPods_KeepsEveryNeverAndEnds() => Check(
        (_, g) => g.WithPolicy(p => p.OnAny(r => r.Use(RecoveryStrategy.Hybrid).CheckHealth()).WithBudget(100, TimeSpan.FromHours(1))),
        role: (_, _, r) => r.WithHealthCheck(["check"]), world: (random, world) =>
        {
            world.CommandMilliseconds = random.Next(10, 8000);
            world.Command = (pod, _) =>
            {
                // More would use up the nodes.
                if (random.Next(20) > 0) return (0, "");
                pod.Faulty = true;
                return (random.Next(-1, 3), "as it were");
            };
        });

    private static void Check(
        Func<Random, GangBuilder, GangBuilder> more, bool moves = false, Action<Random, int, RoleBuilder>? role = null, Action<Random, World>? world = null) =>
        Gen.Int[0, int.MaxValue - 1].Sample(
            seed =>
            {
                var random = new Random(seed);
                var spares = random.Next(0, 3);
                var workers = random.Next(1, 7);
                var spec = more(random, Gang.Create("llm").AddRole("trainer", r =>
                    {
                        r.WithCount(workers).WithSpares(spares).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent");
                        role?.Invoke(random, workers, r);
                    })
                    .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1))
                    .WithBarrierDeadline(TimeSpan.FromSeconds(60)).WithPolicy(p => p.WithBudget(100, TimeSpan.FromHours(1)))).Build();
                var around = new World(seed, spec, nodes: 24)
                {
                    LossRate = random.NextDouble() * 0.2,
                };
                world?.Invoke(random, around);
                Survive(seed, around, random, moves);
            },
            iter: 500, threads: 2);

    /// <summary>Lets things go wrong, ends all of it, and asks for a gang that runs.</summary>
    internal static void Survive(int seed, World world, Random random, bool moves = false)
    {
        world.Run(TimeSpan.FromSeconds(random.Next(1, 30)));
        var faults = random.Next(1, 12);
        for (var i = 0; i < faults && !world.State.IsOver; i++)
        {
            if (moves && random.Next(3) == 0) Trouble(world, random);
            else Fault(world, random);
            world.Run(TimeSpan.FromMilliseconds(random.Next(0, random.Next(2) == 0 ? 300 : 12000)));
        }

        foreach (var node in world.Nodes) world.Heal(node);
        foreach (var node in world.Nodes.Where(n => n.Troubled)) world.Change(node, Well);
        world.LossRate = 0;
        world.Run(TimeSpan.FromMinutes(12));
        // Only cells may be in an attempt of their own.
        var cells = world.Spec.Roles.Any(r => r.CellSize > 0);
        Assert.True(
            world.State.Phase == GangPhase.Running && world.Settled
                && world.State.Workers.Select(n => world.State.Pods[n]).All(p => p.Runs(cells ? p.Target : world.State.Attempt)),
            $"seed {seed}: {world.State.Phase}/{world.State.Stage} attempt {world.State.Attempt} {world.State.Outcome}\n"
            + string.Join('\n', world.Log) + "\n" + string.Join('\n', world.State.Pods.Values.Select(p =>
                $"{p.Name} {p.Worker} {p.Agent?.Phase} {p.Agent?.Attempt} connected={p.Connected} gone={p.Gone} doomed={p.Doomed} pod={p.Pod?.Phase} deleting={p.Pod?.Deleting} node={p.Node} mayRun={p.MayRun} ran={p.RanAttempt}")));
    }

    [Theory]
    [InlineData(8, 1)]
    [InlineData(8, 3)]
    [InlineData(64, 1)]
    [InlineData(64, 5)]
    public void Recovery_FailedWorkers_CostsAtMostTwoWritesEachAndFour(int workers, int failed)
    {
        var world = new World(7, Specs.Gang(workers).Build(), nodes: workers + failed);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Running, world.State.Stage);
        var before = world.Writes;
        for (var rank = 0; rank < failed; rank++) world.KillContainer(world.PodOf(rank * 2));
        world.Run(TimeSpan.FromSeconds(60));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        Assert.InRange(world.Writes - before, 2 + failed, (2 * failed) + 4);
    }

    private static void Well(SimNode node)
    {
        node.Cordoned = false;
        node.Conditions = [];
    }

    /// <summary>A node that is about to go, or says that it is broken; and is well again, or not.</summary>
    private static void Trouble(World world, Random random)
    {
        var nodes = world.Nodes.Where(n => n is { Healthy: true, Troubled: false }).ToList();
        if (nodes.Count < 17) return;
        var pods = world.Pods.Values.Where(p => p.Node is { Healthy: true, Troubled: false }).ToList();
        var node = pods.Count > 0 && random.Next(4) > 0 ? pods[random.Next(pods.Count)].Node! : nodes[random.Next(nodes.Count)];
        if (random.Next(2) == 0) world.Change(node, n => n.Cordoned = true);
        else world.Change(node, n => n.Conditions = [new Observations.NodeCondition(random.Next(2) == 0 ? "KernelDeadlock" : "PreemptScheduled", "Why", "")]);
        if (random.Next(2) == 0) world.After(random.Next(0, 15000), () => world.Change(node, Well));
    }

    private static void Fault(World world, Random random)
    {
        var pods = world.Pods.Values.ToList();
        var pod = pods.Count == 0 ? null : pods[random.Next(pods.Count)];
        var nodes = world.Nodes.Where(n => n.Healthy).ToList();
        switch (random.Next(10))
        {
            case 0 when pod is not null: world.Exit(pod, random.Next(1, 100)); break;
            case 1 when pod is not null: world.Exit(pod, 137, 9); break;
            case 2 when pod is not null: world.KillContainer(pod); break;
            case 3 when nodes.Count > 16: world.Kill(nodes[random.Next(nodes.Count)]); break;
            case 4 when nodes.Count > 16:
                var node = pod?.Node is { Healthy: true } n ? n : nodes[random.Next(nodes.Count)];
                world.Partition(node);
                world.After(random.Next(0, 20000), () => world.Heal(node));
                break;
            case 5 when pod is not null: world.Blip(pod); break;
            case 6 when pod is not null: world.DeleteByOthers(pod); break;
            case 7: world.CrashSupervisor(random.Next(1, 4000)); break;
            case 8 when pod is not null: world.RestartByOthers(pod, random.Next(1, 80), seen: random.Next(2) == 0); break;
            case 9: world.ApiOutage(random.Next(10, 15000)); break;
            default: break;
        }
    }
}
