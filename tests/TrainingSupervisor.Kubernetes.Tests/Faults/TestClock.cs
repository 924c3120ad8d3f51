using Microsoft.Extensions.Time.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Faults;

/// <summary>Fake time that knows what waits for it: a test goes on only when the wait that it means has been armed.</summary>
internal sealed class TestClock : FakeTimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<(TimeSpan Due, long At)> _armed = [];

    public TestClock()
        : base(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        lock (_lock) _armed.Add((dueTime, GetTimestamp()));
        return timer;
    }

    /// <summary>Waits until a timer between these two is armed that was not handed out before, and returns how long it waits.</summary>
    public async Task<TimeSpan> ArmedAsync(TimeSpan from, TimeSpan to)
    {
        var limit = DateTime.UtcNow.AddSeconds(30);
        while (true)
        {
            lock (_lock)
            {
                var i = _armed.FindIndex(a => a.Due >= from && a.Due <= to);
                if (i >= 0)
                {
                    var due = _armed[i].Due;
                    _armed.RemoveAt(i);
                    return due;
                }
            }

            Assert.True(DateTime.UtcNow < limit, $"nothing waits between {from} and {to}");
            await Task.Delay(2);
        }
    }
}
