using CsCheck;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>The "never"s hold for Pods that something else creates, names and takes away.</summary>
public sealed class AdoptionNeverTests
{
    [Theory]
    [InlineData(nameof(ControllerKind.Job))]
    [InlineData(nameof(ControllerKind.Unnumbered))]
    [InlineData(nameof(ControllerKind.SameName))]
    public void Machine_AdoptedPodsAndRandomFaults_KeepsEveryNeverAndEnds(string kind) =>
        Gen.Int[0, int.MaxValue - 1].Sample(
            seed =>
            {
                var random = new Random(seed);
                var workers = random.Next(1, 7);
                var spec = Specs.Adopted(workers).WithBarrierDeadline(TimeSpan.FromSeconds(60)).WithPolicy(p => p.WithBudget(100, TimeSpan.FromHours(1))).Build();
                var world = new World(seed, spec, nodes: 24, w => new SimController(w, Enum.Parse<ControllerKind>(kind), workers)) { LossRate = random.NextDouble() * 0.2 };
                world.Run(TimeSpan.FromSeconds(random.Next(1, 30)));
                var faults = random.Next(1, 12);
                for (var i = 0; i < faults && !world.State.IsOver; i++)
                {
                    NeverTests.Fault(world, random);
                    world.Run(TimeSpan.FromMilliseconds(random.Next(0, random.Next(2) == 0 ? 300 : 12000)));
                }

                foreach (var node in world.Nodes) world.Heal(node);
                world.LossRate = 0;
                world.Run(TimeSpan.FromMinutes(12));
                Assert.True(
                    world.State.Phase == GangPhase.Running && world.Settled && world.State.Workers.All(n => world.State.Pods[n].Runs(world.State.Attempt)),
                    $"seed {seed}: {world.State.Phase}/{world.State.Stage} attempt {world.State.Attempt} {world.State.Outcome}\n"
                    + string.Join('\n', world.Log) + "\n" + string.Join('\n', world.State.Pods.Values.Select(p =>
                        $"{p.Name} {p.Worker} {p.Agent?.Phase} {p.Agent?.Attempt} connected={p.Connected} gone={p.Gone} doomed={p.Doomed} pod={p.Pod?.Phase} deleting={p.Pod?.Deleting} node={p.Node} mayRun={p.MayRun} ran={p.RanAttempt}")));
            },
            iter: 150, threads: 2);
}
