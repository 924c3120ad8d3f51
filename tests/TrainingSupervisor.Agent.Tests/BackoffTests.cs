using TrainingSupervisor.Agent.Link;

namespace TrainingSupervisor.Agent.Tests;

public sealed class BackoffTests
{
    [Fact]
    public void Next_AgainAndAgain_DoublesItsBoundUpToTwoSeconds()
    {
        var longest = new Backoff(() => 1);
        var shortest = new Backoff(() => 0);

        var most = Enumerable.Range(0, 10).Select(_ => longest.Next().TotalMilliseconds).ToList();

        Assert.Equal([50, 100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000], most);
        Assert.All(Enumerable.Range(0, 10), _ => Assert.InRange(shortest.Next().TotalMilliseconds, 1, 10));
    }

    [Theory]
    [InlineData(0.1, 200)]
    [InlineData(3, 50)]
    public void StreamEnded_AfterItHasHeld_StartsAnew(double seconds, double expected)
    {
        var backoff = new Backoff(() => 1);
        backoff.Next();
        backoff.Next();

        backoff.StreamEnded(TimeSpan.FromSeconds(seconds));

        Assert.Equal(expected, backoff.Next().TotalMilliseconds);
    }
}
