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
                NeverTests.Survive(seed, world, random);
            },
            iter: 150, threads: 2);
}
