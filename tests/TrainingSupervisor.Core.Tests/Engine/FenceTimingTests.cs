using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>
/// A node is cut off at any moment of its Lease's period, and healed at any moment or never. Its replacement is ordered within ten seconds of
/// the last sign of life plus the fence, the old worker has ended before the new one starts (<see cref="World"/> throws else), and the gang
/// trains on.
/// </summary>
public sealed class FenceTimingTests
{
    private static readonly TimeSpan Ten = TimeSpan.FromSeconds(10);

    /// <summary>Fence, and the duration of Leases: those of the other tests, and those of a stock cluster with the default fence.</summary>
    [Theory]
    [InlineData(5, 4)]
    [InlineData(30, 40)]
    public void Step_NodeCutOffAndHealedAtAnyMoment_ReplacedInTimeAndNeverTwice(int fence, int lease)
    {
        var replaced = 0;
        for (var phase = 0.0; phase < lease / 4.0; phase += lease / 16.0)
        {
            for (var healed = 0.0; healed <= fence + 20; healed += 0.25)
            {
                if (Run(TimeSpan.FromSeconds(fence), TimeSpan.FromSeconds(lease), phase, healed)) replaced++;
            }
        }

        // Short cuts are not noticed at all, and long ones cannot but be.
        Assert.InRange(replaced, 4 * 4 * 20, 4 * 4 * (fence + 20));
    }

    [Theory]
    [InlineData(5, 4)]
    [InlineData(30, 40)]
    public void Step_NodeNeverComesBack_ReplacementRunsOnceTheFenceIsOver(int fence, int lease)
    {
        for (var phase = 0.0; phase < lease / 4.0; phase += 0.25) Assert.True(Run(TimeSpan.FromSeconds(fence), TimeSpan.FromSeconds(lease), phase, healed: null));
    }

    /// <summary>The agent reaches the API server alone for a while, and so is not cut off before that ends: the Lease is the only trace of it.</summary>
    [Theory]
    [InlineData(5, 4)]
    [InlineData(30, 40)]
    public void Step_AgentsStreamIsCutBeforeItsNodeIs_OldWorkerStillEndsFirst(int fence, int lease)
    {
        for (var phase = 0.0; phase < lease / 4.0; phase += lease / 32.0)
        {
            for (var before = 0.25; before < fence; before += fence / 8.0)
            {
                Assert.True(Run(TimeSpan.FromSeconds(fence), TimeSpan.FromSeconds(lease), phase, healed: null, before));
            }
        }
    }

    /// <summary>True if its Pod was replaced.</summary>
    private static bool Run(TimeSpan fence, TimeSpan lease, double phase, double? healed, double streamCutBefore = 0)
    {
        var spec = Specs.Gang(2, 0, g => g.WithFence(fence)).Build();
        var world = new World((int)((phase * 1000) + (healed ?? 999) * 4), spec, nodes: 4, lease: lease);
        world.Run(TimeSpan.FromSeconds(20 + phase));
        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        var old = world.PodOf(1);
        var node = old.Node!;
        if (streamCutBefore > 0)
        {
            old.Faulty = true;
            world.Disconnect(old);
            world.Run(TimeSpan.FromSeconds(streamCutBefore));
        }

        var cut = world.Now;
        world.Partition(node);
        if (healed is { } seconds) world.After(seconds * 1000, () => world.Heal(node));
        world.Run(fence + TimeSpan.FromSeconds(45));

        var where = $"phase {phase}, healed {healed}: {string.Join('\n', world.Log)}";
        Assert.True(world.State is { Phase: GangPhase.Running, Stage: Stage.Running }, $"{world.State.Phase}/{world.State.Stage}, {where}");
        if (world.State.Workers[1] == old.Name) return false;
        var ordered = world.Ordered.First(o => o.Pod == world.State.Workers[1]).At;
        Assert.True(ordered - cut <= fence + Ten, $"ordered after {ordered - cut}, {where}");
        if (healed is null || healed > (fence + Ten).TotalSeconds)
        {
            var running = world.Events.OfType<PhaseChanged>().Last(p => p.Phase == GangPhase.Running).At;
            Assert.True(running - cut >= fence, $"released {running - cut} after the cut, {where}");
            Assert.True(running - cut <= fence + lease + Ten, $"released {running - cut} after the cut, {where}");
        }

        return true;
    }
}
