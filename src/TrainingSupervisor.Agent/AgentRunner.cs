using System.Net.Sockets;
using System.Threading.Channels;
using TrainingSupervisor.Agent.Beside;
using TrainingSupervisor.Agent.Link;
using TrainingSupervisor.Agent.Native;
using TrainingSupervisor.Agent.Progress;
using TrainingSupervisor.Agent.Sidecar;
using TrainingSupervisor.Agent.State;
using TrainingSupervisor.Agent.Worker;
using TrainingSupervisor.Protocol;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent;

/// <summary>The I/O around <see cref="AgentMachine"/>: one loop that takes what happened, one by one, and does what the machine says.</summary>
internal sealed class AgentRunner : IDisposable
{
    private static readonly TimeSpan FlushLimit = TimeSpan.FromMilliseconds(500), EndLimit = TimeSpan.FromMilliseconds(200), FileLook = TimeSpan.FromMilliseconds(50);

    private readonly AgentOptions _options;
    private readonly IReadOnlyList<string>? _command;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly TimeProvider _time;
    private readonly AgentMachine _machine;
    private readonly Channel<Func<ValueTask>> _inbox = Channel.CreateUnbounded<Func<ValueTask>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Reaper _reaper = new();
    private readonly GatewayLink _link;
    private readonly Fence _fence;
    private readonly LivenessProbe _liveness;
    private readonly ProgressTracker _progress = new(Log.Write);
    private readonly ProgressFileTail _file;
    private readonly ProgressSocket _socket;
    private readonly StateFile _state;
    private readonly SideCommands _commands;
    private readonly HealthWatch _health;
    private readonly CancellationTokenSource _leaving = new();
    private readonly string _instance = Guid.NewGuid().ToString("N");
    private volatile FailurePatterns _patterns = FailurePatterns.None;
    private IReadOnlyDictionary<string, string>? _workerEnvironment;
    private ReadyGate? _gate;
    private WorkerProcess? _worker;
    private Task _watch = Task.CompletedTask;
    private (int Attempt, ITimer Deadline)? _quiesce;
    private ITimer? _kill, _hold, _progressDue, _look;
    private TimeSpan _progressInterval = TimeSpan.FromSeconds(1);
    private long? _progressSaid;
    private bool _ended;
    private int? _leave;

    /// <param name="options">What the environment says.</param>
    /// <param name="command">The worker's; null for a sidecar, whose worker the kubelet starts.</param>
    /// <param name="environment">What the worker inherits.</param>
    /// <param name="time">The clock.</param>
    internal AgentRunner(AgentOptions options, IReadOnlyList<string>? command, IReadOnlyDictionary<string, string> environment, TimeProvider time)
    {
        (_options, _command, _environment, _time) = (options, command, environment, time);
        _state = new StateFile(options.Directory);
        var (term, attempt) = _state.Load();
        _machine = new AgentMachine(options.PodUid, options.RestartExitCode, term, attempt, sidecar: command is null);
        _file = new ProgressFileTail(WorkerSetup.ProgressFile(options));
        _socket = new ProgressSocket(WorkerSetup.ProgressSocket(options), shared: command is null, lines => PostAsync(() => OnLines(lines)));
        _liveness = new LivenessProbe(options.LivenessUrl);
        _fence = new Fence(time, _liveness.AskAsync, why => Post(() => DoAsync(_machine.OnFenced(why))));
        _commands = new SideCommands(c => BesideAsync(c.Argv, TimeSpan.FromMilliseconds(c.TimeoutMs), _leaving.Token), Answer, () => !WorkerIsEnding, PostAction);
        _health = new HealthWatch(time, BesideAsync, () => _worker is not { HasEnded: false }, words => FoundUnhealthy(_progress.SetHealth(words)), PostAction);
        _link = new GatewayLink(options, time, _fence, HelloAsync, OnMessageAsync, connected => Post(() => OnConnected(connected)));
    }

    public void Dispose()
    {
        _liveness.Dispose();
        _health.Dispose();
        _gate?.Dispose();
        _leaving.Dispose();
        foreach (var timer in new[] { _kill, _hold, _progressDue, _look, _quiesce?.Deadline })
            timer?.Dispose();
    }

    /// <summary>Passes a signal on; safe from any thread.</summary>
    internal void OnSignal(int signal) => Post(() =>
    {
        if (signal is Libc.SigTerm or Libc.SigInt or Libc.SigQuit)
            return DoAsync(_machine.OnTerminate(signal));
        _worker?.Signal(signal);
        return ValueTask.CompletedTask;
    });

    /// <summary>Runs until the agent has to end; returns its exit code.</summary>
    internal async Task<int> RunAsync()
    {
        ProcessTree.BecomeSubreaper();
        using var stop = new CancellationTokenSource();
        StartHold(); // Harmless before an exit: it asks the machine, which knows.
        Task[] loops =
        [
            _link.RunAsync(stop.Token), _fence.RunAsync(stop.Token), _socket.RunAsync(stop.Token),
        ];
        while (_leave is null)
            await NextAsync().ConfigureAwait(false);
        _health.Stop();
        await _leaving.CancelAsync().ConfigureAwait(false);
        await _link.FlushAsync(FlushLimit).ConfigureAwait(false);
        await Task.WhenAny(_commands.EndedAsync(), Task.Delay(EndLimit, _time)).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAny(Task.WhenAll([.. loops, _watch]), Task.Delay(EndLimit, _time)).ConfigureAwait(false);
        return _leave.Value;
    }

    private async Task NextAsync()
    {
        var work = await _inbox.Reader.ReadAsync().ConfigureAwait(false);
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The edge of the loop: a worker in training is worth more than an agent without a flaw.
            Log.Write($"an error of the agent itself, going on: {e}");
        }
    }

    /// <summary>The same, and the task ends when it is done.</summary>
    private Task PostAsync(Func<ValueTask> work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(async () =>
        {
            try
            {
                await work().ConfigureAwait(false);
            }
            finally
            {
                done.SetResult();
            }
        });
        return done.Task;
    }

    private void PostAction(Action work) => Post(() =>
    {
        work();
        return ValueTask.CompletedTask;
    });

    private void Post(Func<ValueTask> work) => _inbox.Writer.TryWrite(work);

    private ITimer After(TimeSpan due, Func<ValueTask> work) => _time.CreateTimer(_ => Post(work), null, due, Timeout.InfiniteTimeSpan);

    private Task<Hello> HelloAsync()
    {
        var result = new TaskCompletionSource<Hello>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            result.SetResult(new Hello
            {
                Gang = _options.Gang, Namespace = _options.Namespace, Role = _options.Role, PodName = _options.PodName, PodUid = _options.PodUid,
                PodIp = _options.PodIp, Node = _options.Node, Instance = _instance, Term = _machine.Term, State = _machine.Snapshot(),
                Progress = _progress.SaidAnything ? _progress.Snapshot() : null, ReadsGzip = true,
            });
            return ValueTask.CompletedTask;
        });
        return result.Task;
    }

    private ValueTask OnMessageAsync(SupervisorMessage message)
    {
        Post(() =>
        {
            if (message.Welcome is { } welcome && message.PodUid == _options.PodUid)
                OnWelcome(welcome);
            return DoAsync(_machine.On(message));
        });
        return ValueTask.CompletedTask;
    }

    private void OnWelcome(Welcome welcome)
    {
        _progressInterval = TimeSpan.FromMilliseconds(Math.Max(0, welcome.ProgressMs));
        _health.Set(welcome.HealthCheck, workerRuns: _worker is { HasEnded: false });
        if (!welcome.FailurePatterns.SequenceEqual(_patterns.Texts))
            _patterns = FailurePatterns.Of(welcome.FailurePatterns);
    }

    private ValueTask OnConnected(bool connected)
    {
        _hold?.Dispose();
        _hold = null;
        if (!connected)
            StartHold();
        return ValueTask.CompletedTask;
    }

    private void StartHold()
    {
        _hold?.Dispose();
        _hold = After(_options.ExitHold, () => DoAsync(_machine.OnHoldOver()));
    }

    private async ValueTask DoAsync(IReadOnlyList<Effect> effects)
    {
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case Effect.SayState say:
                    _link.Send(new AgentMessage { State = say.Before ?? _machine.Snapshot() });
                    break;
                case Effect.Refuse refuse:
                    Log.Write($"refused: {refuse.Reason}");
                    _link.Send(new AgentMessage { Refused = new Refused { Reason = refuse.Reason, Term = refuse.Term, Attempt = refuse.Attempt } });
                    break;
                case Effect.Persist persist:
                    _state.Save(persist.Term, persist.Attempt);
                    break;
                case Effect.StartWorker start:
                    StartWorker(start);
                    break;
                case Effect.WriteRoster write:
                    WriteRoster(write);
                    break;
                case Effect.EndWorker end:
                    EndWorker(end);
                    break;
                case Effect.SignalWorker signal:
                    _worker?.Signal(signal.Signal);
                    break;
                case Effect.Quiesce quiesce:
                    await Look().ConfigureAwait(false); // A checkpoint of before the signal is no answer to it.
                    _quiesce?.Deadline.Dispose();
                    _quiesce = (quiesce.Attempt, After(quiesce.Deadline, () => Quiesced(false)));
                    AskToSave(quiesce);
                    break;
                case Effect.Run { Command: var command }:
                    if (!_commands.Ask(command))
                        _link.Send(new AgentMessage { Refused = new Refused { Reason = $"command {command.Id}: {SideCommands.MostWaiting} wait already", Term = _machine.Term } });
                    break;
                case Effect.Leave leave:
                    if (_command is null && _gate is not null)
                        await LastWordsAsync().ConfigureAwait(false);
                    _leave ??= leave.Code;
                    break;
            }
        }

        await ValueTask.CompletedTask.ConfigureAwait(false);
    }

    private void StartWorker(Effect.StartWorker start)
    {
        WorkerExit? problem;
        try
        {
            _progress.Reset(start.Roster.Attempt);
            _progressSaid = null;
            if (_command is null)
            {
                OpenGate(start);
                return;
            }

            _file.Truncate();
            WorkerSetup.WriteFiles(_options, start.Roster, start.RosterJson);
            var environment = WorkerSetup.Environment(_options, start.Roster, start.Rank, _environment);
            var attempt = start.Roster.Attempt;
            var watch = new StderrWatch(() => _patterns, words => PostAction(() => FoundOnStderr(attempt, words)));
            _worker = WorkerProcess.Start(_command, environment, _reaper, _time, bytes =>
            {
                Log.WriteAll(2, bytes);
                watch.Take(bytes);
            }, out problem);
            _workerEnvironment = environment;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            problem = WorkerProcess.NotStarted(126, $"cannot write the worker's files to {_options.Directory}: {e.Message}", _time);
        }
        catch (Exception e)
        {
            // Said to run, it must either run or end.
            problem = WorkerProcess.NotStarted(126, $"the agent cannot start the worker: {e.Message}", _time);
        }

        if (problem is not null || _worker is null)
        {
            Log.Write($"attempt {start.Roster.Attempt} not started: {problem!.StderrTail}");
            Post(() => DoAsync(_machine.OnWorkerEnded(problem, byItself: true)));
            return;
        }

        Log.Write($"attempt {start.Roster.Attempt}: worker started as rank {start.Rank} of {start.Roster.WorldSize}");
        _look = _time.CreateTimer(_ => Post(() => Look()), null, FileLook, FileLook);
        _watch = WatchAsync(_worker);
        _health.Start();
    }

    /// <summary>All that the worker is to find is there before the kubelet's probe finds the gate open and has the worker started.</summary>
    private void OpenGate(Effect.StartWorker start)
    {
        File.Delete(QuiesceFile.Path(_options));
        SharedFile.Create(WorkerSetup.ProgressFile(_options));
        _file.Restart();
        WorkerSetup.WriteFiles(_options, start.Roster, start.RosterJson);
        var variables = WorkerSetup.Environment(_options, start.Roster, start.Rank, []);
        WorkerSetup.WriteEnvironment(_options, variables);
        _workerEnvironment = WorkerSetup.Environment(_options, start.Roster, start.Rank, _environment);
        _gate ??= new ReadyGate(_options.PodUid);
        _look = _time.CreateTimer(_ => Post(() => Look()), null, FileLook, FileLook);
        Log.Write($"attempt {start.Roster.Attempt}: rank {start.Rank} of {start.Roster.WorldSize} may start");
    }

    private void WriteRoster(Effect.WriteRoster write)
    {
        try
        {
            WorkerSetup.WriteFiles(_options, write.Roster, write.RosterJson);
            Log.Write($"others have moved: the roster is of attempt {write.Roster.Attempt} now");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The worker trains on with what it has.
            Log.Write($"cannot write the roster of attempt {write.Roster.Attempt}: {e.Message}");
        }
    }

    private void AskToSave(Effect.Quiesce quiesce)
    {
        if (_command is not null)
            _worker?.Signal(quiesce.Signal);
        else if (!QuiesceFile.TryWrite(_options, _time.GetUtcNow() + quiesce.Deadline))
            Post(() => Quiesced(false));
    }

    /// <summary>A worker runs, as far as this agent can know.</summary>
    private bool WorkerRuns => _command is null ? _gate is not null && _machine.Phase == Phase.Running : _worker is not null;

    private async Task WatchAsync(WorkerProcess worker)
    {
        var exit = await worker.WaitAsync().ConfigureAwait(false);
        await _socket.DrainAsync(EndLimit).ConfigureAwait(false);
        Post(async () =>
        {
            await Look(last: true).ConfigureAwait(false); // The last words before the end.
            SayProgress();
            Log.Write($"attempt {_machine.Attempt}: worker ended with code {exit.Code}{(exit.OutOfMemory ? ", out of memory" : "")}");
            await Quiesced(exit.Code == 0).ConfigureAwait(false);
            _look?.Dispose();
            _kill?.Dispose();
            _health.Stop();
            var byItself = !_ended;
            (_worker, _workerEnvironment, _look, _kill, _ended) = (null, null, null, null, false);
            _commands.StartNext();
            await DoAsync(_machine.OnWorkerEnded(exit, byItself)).ConfigureAwait(false);
            if (_machine.Phase == Phase.Exited && _hold is not null)
                StartHold();
        });
    }

    private void EndWorker(Effect.EndWorker end)
    {
        Log.Write($"ending the worker of attempt {_machine.Attempt}: {end.Reason}");
        _ended |= _worker is { HasEnded: false };
        _kill?.Dispose();
        _kill = null;
        if (end.Grace <= TimeSpan.Zero)
        {
            _worker?.KillGroup();
            return;
        }

        _worker?.TerminateGroup();
        _kill = After(end.Grace, () =>
        {
            _worker?.KillGroup();
            return ValueTask.CompletedTask;
        });
    }

    /// <summary>Its tree is being ended, and with it whatever is started beside it.</summary>
    private bool WorkerIsEnding => _worker is { HasEnded: true };

    private async Task<SideResult> BesideAsync(IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var worker = _worker is { HasEnded: false } running ? running : null;
        var environment = WorkerSetup.Beside(_workerEnvironment ?? _environment, worker?.Id);
        var kills = worker?.OomKills.Look();
        var result = await SideProcess.RunAsync(command, environment, timeout, _reaper, _time, cancellationToken).ConfigureAwait(false);
        // Once the worker has ended, all that runs beside it is killed from here.
        if (result.KilledByOthers && worker is { HasEnded: false })
            worker.OomKills.Excuse(kills);
        return result;
    }

    private void Answer(CommandResult result) => _link.Send(new AgentMessage { CommandResult = result });

    private void FoundOnStderr(int attempt, string words)
    {
        // The end of a worker says more than its last words.
        if (_machine.Attempt != attempt || _worker is not { HasEnded: false })
            return;
        _progress.AddPattern(words);
        SayProgress();
    }

    private void FoundUnhealthy(bool news)
    {
        if (news)
            SayProgress();
    }

    private ValueTask Quiesced(bool saved)
    {
        if (_quiesce is not { } quiesce)
            return ValueTask.CompletedTask;
        quiesce.Deadline.Dispose();
        _quiesce = null;
        _link.Send(new AgentMessage { Quiesced = new QuiesceResult { Attempt = quiesce.Attempt, Saved = saved } });
        return ValueTask.CompletedTask;
    }

    private async ValueTask LastWordsAsync()
    {
        await Look(last: true).ConfigureAwait(false);
        SayProgress();
    }

    private async ValueTask Look(bool last = false)
    {
        if (!WorkerRuns && !last)
            return;
        _worker?.OomKills.Tick();
        try
        {
            await OnLines(_file.Read(last)).ConfigureAwait(false);
            Log.WriteOver("progress file", "the progress file is readable again");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.WriteOnce("progress file", $"the progress file is not readable: {e.Message}");
        }
    }

    private async ValueTask OnLines(IReadOnlyList<string> lines)
    {
        if (!WorkerRuns && !(_command is null && _gate is not null))
            return;
        var step = _progress.Step;
        var kinds = lines.Select(_progress.Accept).ToList();
        if (_progress.Step != step)
            _worker?.OomKills.Stepped();
        if (kinds.Exists(k => k != ProgressLine.Ignored) && _progressDue is null)
        {
            var wait = _progressSaid is { } said ? _progressInterval - _time.GetElapsedTime(said) : TimeSpan.Zero;
            if (wait <= TimeSpan.Zero)
                SayProgress();
            else
            {
                _progressDue = After(wait, () =>
                {
                    SayProgress();
                    return ValueTask.CompletedTask;
                });
            }
        }

        if (kinds.Contains(ProgressLine.Checkpoint) && _quiesce is not null)
        {
            SayProgress();
            await Quiesced(true).ConfigureAwait(false);
        }
    }

    private void SayProgress()
    {
        _progressDue?.Dispose();
        _progressDue = null;
        if (!_progress.SaidAnything)
            return;
        _progressSaid = _time.GetTimestamp();
        _link.Send(new AgentMessage { Progress = _progress.TakeReport() });
    }
}
