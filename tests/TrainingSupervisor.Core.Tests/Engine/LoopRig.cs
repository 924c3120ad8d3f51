using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using NSubstitute;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>A gang's loop between a cluster that answers as a test wants, agents that only listen, and a clock that says what waits for it.</summary>
internal sealed class LoopRig : IGangCluster
{
    /// <summary>Nobody waits so long for what does come: it is missing then.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Channel<(GangEvent Event, GangState State)> _told = Channel.CreateUnbounded<(GangEvent, GangState)>();
    private readonly Channel<object> _calls = Channel.CreateUnbounded<object>();
    private readonly CancellationTokenSource _stop = new();

    public LoopRig(GangState state, DateTimeOffset now)
    {
        Clock = new ArmedClock(now);
        Loop = new GangLoop(state, this, Clock, Told);
    }

    public ArmedClock Clock { get; }
    public GangLoop Loop { get; }
    public IGangAgents Agents { get; } = Substitute.For<IGangAgents>();
    public CancellationToken WatchToken { get; private set; }

    /// <summary>What comes of a call to the cluster: a SaveRecord, CreatePod, DeletePod, MarkNode or DeleteGang.</summary>
    public Func<object, Task> Answer { get; set; } = _ => Task.CompletedTask;

    /// <summary>This comes of calls of this kind, and all others are done at once.</summary>
    public void AnswerTo<T>(Task what) => Answer = call => call is T ? what : Task.CompletedTask;

    /// <summary>Called within the step that tells of the event.</summary>
    public Action<GangEvent> OnTold { get; set; } = _ => { };
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>A running gang that has nothing to do.</summary>
    public static LoopRig OfRunning(int workers = 2, int spares = 0)
    {
        var world = World.Running(Specs.Gang(workers, spares).Build());
        return new LoopRig(world.State, world.Now);
    }

    /// <summary>A gang whose first record is not written yet, with its cluster seen.</summary>
    public static LoopRig OfNew(int workers = 2)
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Gang(workers).Build(), 1, restartsInPlace: true, now);
        return new LoopRig(GangMachine.Step(state, [new CacheSynced()], now).State with { SaveSequence = 0 }, now);
    }

    public void Start() => Running = Loop.RunAsync(Agents, _stop.Token);

    public void Stop() => _stop.Cancel();

    /// <summary>An input that is told of in the step that sees it.</summary>
    public static GangInput Mark(string name) => new AgentRefused("-", "-", name, 1, 1);

    public ProgressSeen Progress(int rank, long step, string unhealthy = "")
    {
        var pod = Loop.State.Pods[Loop.State.Workers[rank]];
        return new ProgressSeen(pod.Name, pod.Uid!, new ProgressObservation(pod.Target, step, -1, "", unhealthy));
    }

    public long StepOf(int rank) => Loop.State.Pods[Loop.State.Workers[rank]].Progress?.Step ?? -1;

    public async Task<(T Event, GangState State)> ToldAsync<T>(Func<T, bool>? which = null)
        where T : GangEvent
    {
        while (true)
        {
            var (happened, state) = await _told.Reader.ReadAsync().AsTask().WaitAsync(Patience);
            if (happened is T wanted && which?.Invoke(wanted) != false) return (wanted, state);
        }
    }

    /// <summary>The state that the step had which has seen this mark.</summary>
    public async Task<GangState> MarkedAsync(string name) => (await ToldAsync<GangNotice>(n => IsMark(n, name))).State;

    public static bool IsMark(GangEvent happened, string name) => happened is GangNotice notice && notice.Text.EndsWith($": {name}", StringComparison.Ordinal);

    public Task<object> CalledAsync() => _calls.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    public async Task<T> CalledAsync<T>() => Assert.IsType<T>(await CalledAsync());

    public async Task EndAsync()
    {
        Stop();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Running.WaitAsync(Patience));
        await Loop.DisposeAsync();
    }

    public Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> ExistsAsync(GangSpec spec, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken)
    {
        WatchToken = cancellationToken;
        return Task.Delay(Timeout.InfiniteTimeSpan, Clock, cancellationToken);
    }

    public Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken) => Called(record);

    public Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken) => Called(new CreatePod(request));

    public Task DeletePodAsync(GangSpec spec, string name, string uid, bool force, CancellationToken cancellationToken) => Called(new DeletePod(name, uid, force));

    public Task MarkNodeAsync(GangSpec spec, string node, bool quarantined, CancellationToken cancellationToken) => Called(new MarkNode(node, quarantined));

    public Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken) => Called(new DeleteGang());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task Called(object call)
    {
        var answer = Answer(call);
        _calls.Writer.TryWrite(call);
        return answer;
    }

    private void Told(GangEvent happened)
    {
        _told.Writer.TryWrite((happened, Loop.State));
        OnTold(happened);
    }

    /// <summary>Fake time that hands out what was armed, in order: a test lets time pass only when the wait that it means has begun.</summary>
    internal sealed class ArmedClock(DateTimeOffset now) : FakeTimeProvider(now)
    {
        private readonly Channel<TimeSpan> _armed = Channel.CreateUnbounded<TimeSpan>();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            if (dueTime > TimeSpan.Zero) _armed.Writer.TryWrite(dueTime);
            return timer;
        }

        public Task<TimeSpan> ArmedAsync() => _armed.Reader.ReadAsync().AsTask().WaitAsync(Patience);

        /// <summary>Until just this is armed: what passes while a step is done makes that one costly, and another wait comes between.</summary>
        public async Task ArmedAsync(TimeSpan wanted)
        {
            while (await ArmedAsync() != wanted)
            {
            }
        }
    }
}
