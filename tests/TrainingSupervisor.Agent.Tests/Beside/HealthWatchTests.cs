using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Agent.Beside;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests.Beside;

public sealed class HealthWatchTests : IDisposable
{
    private static readonly SideResult Well = new(0, false, ""), Sick = new(5, false, "all\nbad\n"), Late = new(137, true, "");

    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _found = [];
    private readonly Queue<SideResult> _results = new();
    private readonly HealthWatch _watch;
    private int _runs;
    private bool _ended;

    public HealthWatchTests() => _watch = new HealthWatch(
        _time,
        (_, _, _) =>
        {
            _runs++;
            return Task.FromResult(_results.Dequeue());
        },
        () => _ended, _found.Add, work => work());

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void Run_FailedOftenEnoughInARow_SaysSoOnceAndTakesItBackAfterOneSuccess()
    {
        Start(Sick, Sick, Sick, Sick, Well);
        Pass(2);
        Assert.Empty(_found);
        Pass(1);
        Assert.Equal("'check -x' has failed 3 times in a row, last with exit code 5: bad", Assert.Single(_found));
        Pass(1);
        Assert.Single(_found);
        Pass(1);
        Assert.Equal("", _found[^1]);
    }

    [Fact]
    public void Run_FailedLessOftenInARow_SaysNothing()
    {
        Start(Sick, Sick, Well, Sick, Late, Well, Sick, Sick, Well);

        Pass(9);

        Assert.Equal(9, _runs);
        Assert.All(_found, Assert.Empty);
    }

    [Fact]
    public void Run_ThatDoesNotEndOrStart_FailsToo()
    {
        Start(Sick, Sick, Late, Well, Sick, Sick, new SideResult(-1, false, "command not found: check"));

        Pass(7);

        Assert.Equal(
            ["'check -x' has failed 3 times in a row, last with no end within 2 s", "",
             "'check -x' has failed 3 times in a row, last with it could not be started: command not found: check"], _found);
    }

    [Fact]
    public void Run_EndedWithTheWorkersTree_SaysNothingOfTheWorker()
    {
        Start(Sick, Sick, Late);
        Pass(2);
        _ended = true;

        Pass(5);

        Assert.Empty(_found);
        Assert.Equal(3, _runs);
    }

    [Fact]
    public void Stop_AndStartAgain_CountsAnew()
    {
        Start(Sick, Sick, Sick, Sick);
        Pass(2);
        _watch.Stop();
        Pass(5);
        Assert.Equal(2, _runs);

        _watch.Start();
        Pass(2);

        Assert.Equal(4, _runs);
        Assert.Empty(_found);
    }

    [Fact]
    public void Set_TheSameAgainWhileTheWorkerRuns_GoesOnCounting()
    {
        Start(Sick, Sick, Sick);
        Pass(2);

        _watch.Set(Check(), workerRuns: true);
        Pass(1);

        Assert.Single(_found);
    }

    [Fact]
    public void Set_ToNoneWhileItIsSick_TakesItBackAndRunsNoMore()
    {
        Start(Sick, Sick, Sick);
        Pass(3);

        _watch.Set(null, workerRuns: true);
        Pass(5);

        Assert.Equal("", _found[^1]);
        Assert.Equal(3, _runs);
    }

    private void Start(params SideResult[] results)
    {
        foreach (var result in results)
            _results.Enqueue(result);
        _watch.Set(Check(), workerRuns: false);
        Pass(3);
        Assert.Equal(0, _runs); // Nothing runs without a worker.
        _watch.Start();
    }

    private static HealthCheck Check() => new() { Command = { "check", "-x" }, IntervalMs = 1000, TimeoutMs = 2000, Failures = 3 };

    private void Pass(int intervals)
    {
        for (var i = 0; i < intervals; i++)
            Contextless.Run(() => _time.Advance(TimeSpan.FromSeconds(1)));
    }
}
