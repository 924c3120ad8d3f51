using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Agent.Link;

namespace TrainingSupervisor.Agent.Tests;

public sealed class FenceTests
{
    [Fact]
    public async Task RunAsync_WithAProbeThatFails_TakesItForNoAnswerAndGuardsOn()
    {
        var time = new FakeTimeProvider();
        var fired = new TaskCompletionSource();
        var asked = 0;
        var fence = new Fence(time, _ => ++asked % 2 == 0 ? throw new InvalidDataException("odd") : Task.FromException<bool>(new IOException("odd")), _ => fired.TrySetResult());
        using var stop = new CancellationTokenSource();
        fence.Arm(TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(1));
        var loop = fence.RunAsync(stop.Token);

        for (var i = 0; i < 1000 && !fired.Task.IsCompleted; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(1);
        }

        Assert.True(fired.Task.IsCompleted);
        Assert.True(asked > 1);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop);
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public async Task RunAsync_ForAWholePeriod_CutsOffOnlyIfNobodyAnswers(bool acks, bool apiServer, bool cutOff)
    {
        var time = new FakeTimeProvider();
        var fired = new List<TimeSpan>();
        var start = time.GetTimestamp();
        var fence = new Fence(time, _ => Task.FromResult(apiServer), _ => fired.Add(time.GetElapsedTime(start)));
        using var stop = new CancellationTokenSource();
        fence.Arm(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1));
        var loop = fence.RunAsync(stop.Token);

        for (var second = 0; second < 40; second++)
        {
            if (acks)
                fence.Reached(time.GetTimestamp());
            time.Advance(TimeSpan.FromSeconds(1));
            for (var i = 0; i < 20; i++)
                await Task.Yield();
            await Task.Delay(1);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop);
        Assert.Equal(cutOff, fired.Count > 0);
        if (cutOff)
            Assert.InRange(fired[0].TotalSeconds, 30, 32);
    }
}
