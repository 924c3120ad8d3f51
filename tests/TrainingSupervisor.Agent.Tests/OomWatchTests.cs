using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Agent.Worker;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>Which kills of the OOM killer a worker's end is put down to.</summary>
public sealed class OomWatchTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly OomWatch _watch;
    private long? _count = 7;

    public OomWatchTests() => _watch = new OomWatch(() => _count, _time);

    [Fact]
    public void Ended_NoKillWhileItRan_IsNotOutOfMemory()
    {
        Pass(3600);

        Assert.Equal((false, null), _watch.Ended(bySigKill: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Ended_KillThatNoLookHasSeenYet_IsOutOfMemory(bool bySigKill)
    {
        Pass(3600);
        _count++;

        Assert.Equal((true, null), _watch.Ended(bySigKill));
    }

    [Theory]
    [InlineData(59, false, true)]
    [InlineData(59, true, true)]
    [InlineData(11 * 60, false, true)]
    [InlineData(11 * 60, true, false)]
    [InlineData(16 * 60, false, false)]
    [InlineData(3 * 3600, false, false)]
    [InlineData(3 * 3600, true, false)]
    public void Ended_SoLongAfterAKill_IsOutOfMemoryIfItMayHaveWaitedForTheDeadOne(int seconds, bool bySigKill, bool outOfMemory)
    {
        Kill();
        Pass(seconds);

        Assert.Equal((outOfMemory, outOfMemory ? null : TimeSpan.FromSeconds(seconds)), _watch.Ended(bySigKill));
    }

    [Theory]
    [InlineData(30, true)]
    [InlineData(90, false)]
    public void Ended_StepsAfterAKill_ShowThatTheWorkerDoesWithoutTheDeadOne(int stepped, bool outOfMemory)
    {
        Kill();
        Pass(stepped);
        _watch.Stepped();
        Pass(600 - stepped);

        Assert.Equal((outOfMemory, outOfMemory ? null : TimeSpan.FromSeconds(600)), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_SeveralKills_GoesByTheLast()
    {
        Kill();
        Pass(3600);
        Kill();
        Pass(5);

        Assert.Equal((true, null), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_KillOfACommandOfTheAgents_IsNotOutOfMemory()
    {
        var before = _watch.Look();
        Kill();
        _watch.Excuse(before);

        Assert.Equal((false, null), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_ACommandAndAProcessOfTheWorkerKilledTogether_IsOutOfMemory()
    {
        var before = _watch.Look();
        _count += 2;
        _watch.Excuse(before);

        Assert.Equal((true, null), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_ACommandKilledByAnotherHandSomeTimeAfterAKill_IsOutOfMemory()
    {
        Kill();
        _watch.Excuse(_watch.Look());

        Assert.Equal((true, null), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_CommandKilledAfterAKillLongBefore_TellsOfThatOne()
    {
        Kill();
        Pass(7200);
        var before = _watch.Look();
        Kill();
        _watch.Excuse(before);

        Assert.Equal((false, TimeSpan.FromHours(2)), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_CounterThatCannotBeReadForATime_InventsNoKill()
    {
        _count = null;
        Pass(10);
        _count = 7;

        Assert.Equal((false, null), _watch.Ended(bySigKill: false));
        var late = new OomWatch(() => _count = _count is null ? 7 : null, _time);
        Assert.Equal((false, null), late.Ended(bySigKill: false));
        Assert.Equal((false, null), late.Ended(bySigKill: false));
    }

    [Fact]
    public void Ended_AThousandKillsAtOnce_AreNotAllKept()
    {
        _count += long.MaxValue / 2;
        _watch.Look();

        Assert.Equal((true, null), _watch.Ended(bySigKill: false));
    }

    [Fact]
    public void Tick_InQuickSuccession_ReadsOnceASecond()
    {
        var reads = 0;
        var watch = new OomWatch(() => reads++, _time);
        for (var i = 0; i < 200; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            watch.Tick();
        }

        Assert.Equal(11, reads);
    }

    private void Kill()
    {
        _count++;
        _watch.Look();
    }

    private void Pass(int seconds)
    {
        for (var i = 0; i < seconds; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _watch.Tick();
        }
    }
}
