using System.Reactive.Concurrency;
using System.Reactive.Linq;
using System.Reactive.Subjects;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;

namespace TrainingSupervisor.Tests;

public sealed class UserDetectorsTests
{
    private static readonly Failure Sick = new(FailureKind.NodeUnhealthy, "Xid 79", DateTimeOffset.UnixEpoch) { Node = "node-1" };

    private readonly List<Failure> _reported = [];
    private readonly Written _log = new();

    private IDisposable Watch(params IFailureDetector[] detectors) =>
        new UserDetectors(detectors, ImmediateScheduler.Instance).Watch(Runner().Handle, Take, _log);

    private bool Take(Failure failure)
    {
        _reported.Add(failure);
        return true;
    }

    private static GangRunner Runner() => new(Spec(), null!, null!, new UserDetectors([]), TimeProvider.System, NullLogger.Instance);

    private static GangSpec Spec() => Gang.Create("llm").AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")).Build();

    private static IFailureDetector Detector(IObservable<Failure> says)
    {
        var detector = Substitute.For<IFailureDetector>();
        detector.Watch(Arg.Any<GangHandle>()).Returns(says);
        return detector;
    }

    [Fact]
    public void Watch_DetectorSaysSomething_IsReportedWithItsName()
    {
        using var says = new Subject<Failure>();
        using var watching = Watch(new Own(says));
        says.OnNext(Sick);
        says.OnNext(Sick with { SeenBy = "dcgm" });

        Assert.Equal([Sick with { SeenBy = nameof(Own) }, Sick with { SeenBy = "dcgm" }], _reported);
    }

    [Fact]
    public void Watch_Disposed_HearsNothingMore()
    {
        using var says = new Subject<Failure>();
        Watch(Detector(says)).Dispose();
        says.OnNext(Sick);

        Assert.Empty(_reported);
        Assert.False(says.HasObservers);
    }

    [Fact]
    public void Watch_OneThrows_IsLoggedAndTheOthersGoOn()
    {
        using var says = new Subject<Failure>();
        var faulty = Substitute.For<IFailureDetector>();
        faulty.Watch(Arg.Any<GangHandle>()).Returns(_ => throw new InvalidOperationException("no DCGM here"));
        using var watching = Watch(faulty, Detector(Observable.Throw<Failure>(new TimeoutException())), Detector(says));
        says.OnNext(Sick);

        Assert.Single(_reported);
        Assert.Equal([typeof(InvalidOperationException), typeof(TimeoutException)], _log.Lines.Select(l => l.Exception!.GetType()));
        Assert.All(_log.Lines, l => Assert.Equal((1006, LogLevel.Error), (l.Id, l.Level)));
    }

    [Fact]
    public void Report_WithoutWordsOrOfNoKind_IsRefusedAtTheDoor()
    {
        Assert.Throws<ArgumentException>(() => Runner().Report(Sick with { Evidence = null! }));
        Assert.Throws<ArgumentException>(() => Runner().Report(Sick with { StderrTail = null! }));
        Assert.Throws<ArgumentException>(() => Runner().Report(Sick with { Kind = (FailureKind)999 }));
    }

    [Fact]
    public async Task Watch_OneGivesNothingToSubscribeTo_IsLogged()
    {
        using var watching = new UserDetectors([Detector(null!)]).Watch(Runner().Handle, Take, _log);

        Assert.Contains("Watch", (await _log.First.Task.WaitAsync(TimeSpan.FromSeconds(10))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Watch_NamesAWorkerThatIsNone_IsToldAndWhatComesNextCounts()
    {
        using var says = new Subject<Failure>();
        var runner = Runner();
        bool Report(Failure failure)
        {
            runner.TryReport(failure);
            return Take(failure);
        }

        using var watching = new UserDetectors([Detector(says)], ImmediateScheduler.Instance).Watch(runner.Handle, Report, _log);
        says.OnNext(Sick with { Worker = new WorkerId("trainer", 2) });
        says.OnNext(Sick with { Worker = new WorkerId("trainer", 1) });

        Assert.Single(_reported);
        Assert.Contains("no worker 'trainer-2'; it has trainer-0 to trainer-1", Assert.Single(_log.Lines).Exception!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Watch_SaysSomethingWhileThisProcessDoesNotLead_IsLeftAsideAndNoError()
    {
        using var says = new Subject<Failure>();
        var runner = Runner();
        using var watching = new UserDetectors([Detector(says)], ImmediateScheduler.Instance).Watch(runner.Handle, runner.TryReport, _log);
        says.OnNext(Sick);
        says.OnNext(Sick);

        Assert.Equal([(1007, LogLevel.Debug), (1007, LogLevel.Debug)], _log.Lines.Select(l => (l.Id, l.Level)));
        Assert.True(says.HasObservers);
    }

    private sealed class Own(IObservable<Failure> says) : IFailureDetector
    {
        public IObservable<Failure> Watch(GangHandle gang) => says;
    }

    private sealed class Written : ILogger
    {
        public List<(int Id, LogLevel Level, Exception? Exception)> Lines { get; } = [];

        public TaskCompletionSource<Exception> First { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Lines.Add((eventId.Id, logLevel, exception));
            First.TrySetResult(exception!);
        }
    }
}
