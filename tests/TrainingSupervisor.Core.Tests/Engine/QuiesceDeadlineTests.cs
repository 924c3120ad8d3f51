using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Workers may save before a recovery touches them: no longer than their time, and no longer than they need.</summary>
public sealed class QuiesceDeadlineTests
{
    private static World Recover(double saveMilliseconds, out TimeSpan took)
    {
        var world = new World(1, Specs.Gang(4, 0, g => g.WithQuiesce(TimeSpan.FromSeconds(10))).Build(), nodes: 8) { SaveMilliseconds = saveMilliseconds };
        world.Run(TimeSpan.FromSeconds(20));
        var at = world.Now;
        world.Exit(world.PodOf(0), 3);
        world.Run(TimeSpan.FromSeconds(30));
        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
        // Who has failed has nothing to save.
        Assert.Equal(["llm-trainer-1-1", "llm-trainer-2-1", "llm-trainer-3-1"], world.Quiesced.Select(q => q.Pod).Order(StringComparer.Ordinal));
        took = world.Events.OfType<PhaseChanged>().Last(p => p.Phase == GangPhase.Running).At - at;
        return world;
    }

    private static IEnumerable<GangNotice> Complaints(World world) => world.Events.OfType<GangNotice>().Where(n => n.Text.Contains("did not say in 10 s that they have saved", StringComparison.Ordinal));

    [Fact]
    public void Step_NobodyAnswers_GoesOnAtTheDeadlineAndSaysSo()
    {
        var world = Recover(saveMilliseconds: 60000, out var took);

        Assert.InRange(took, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(13));
        Assert.StartsWith("3 workers", Assert.Single(Complaints(world)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_AllAnswer_GoesOnAtOnce()
    {
        var world = Recover(saveMilliseconds: 500, out var took);

        Assert.InRange(took, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(4));
        Assert.Empty(Complaints(world));
    }
}
