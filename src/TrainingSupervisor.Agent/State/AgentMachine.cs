using TrainingSupervisor.Agent.Native;
using TrainingSupervisor.Agent.Worker;
using TrainingSupervisor.Protocol;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.State;

/// <summary>
/// The agent's whole behaviour, without I/O or clock: a command or an event in, effects out. The phase that it says changes only
/// when the thing has happened: as long as a worker is being ended it is still said to run. A sidecar cannot end its worker: it ends itself,
/// so that the kubelet ends and restarts both.
/// </summary>
internal sealed class AgentMachine(string podUid, int restartExitCode, long term = 0, int obeyedAttempt = 0, bool sidecar = false)
{
    private readonly List<Effect> _effects = [];
    private int _rank;
    private int _rosterAttempt;
    private WorkerExit? _exit;
    private Ending? _ending;
    private bool _terminating;
    private int _terminatedBy;

    internal Phase Phase { get; private set; } = Phase.Waiting;

    /// <summary>The attempt that runs, has run or is waited for; 0 in a fresh process.</summary>
    internal int Attempt { get; private set; }

    internal long Term { get; private set; } = term;

    internal int ObeyedAttempt { get; private set; } = obeyedAttempt;

    internal int ExitCode => _exit?.Code ?? 0;

    internal AgentState Snapshot() => new() { Phase = Phase, Attempt = Attempt, Rank = _rank, Exit = Phase == Phase.Exited ? _exit : null, RosterAttempt = Phase == Phase.Running ? _rosterAttempt : 0 };

    internal IReadOnlyList<Effect> On(SupervisorMessage message)
    {
        _effects.Clear();
        var attempt = message.Restart?.Attempt ?? message.Release?.Attempt ?? message.Quiesce?.Attempt ?? message.RosterUpdate?.Attempt ?? 0;
        if (message.KindCase is SupervisorMessage.KindOneofCase.Ack)
            return [];
        if (message.KindCase is SupervisorMessage.KindOneofCase.Welcome)
        {
            // A new supervisor has taken over, though it may have nothing to command: whoever led before is refused from now on.
            if (message.PodUid == podUid && message.Term > Term)
                Obey();
            return [.. _effects];
        }

        if (message.PodUid != podUid)
            Refuse($"meant for Pod {message.PodUid}, this is {podUid}");
        else if (message.Term < Term)
            Refuse($"term {message.Term} is over: term {Term} has been obeyed");
        else if (Phase == Phase.Leaving)
            Refuse("the agent is leaving");
        else
        {
            switch (message.KindCase)
            {
                case SupervisorMessage.KindOneofCase.Restart: OnRestart(message.Restart!); break;
                case SupervisorMessage.KindOneofCase.Release: OnRelease(message.Release!); break;
                case SupervisorMessage.KindOneofCase.Quiesce: OnQuiesce(message.Quiesce!); break;
                case SupervisorMessage.KindOneofCase.Halt: OnHalt(message.Halt!); break;
                case SupervisorMessage.KindOneofCase.RunCommand: OnRun(message.RunCommand!); break;
                case SupervisorMessage.KindOneofCase.RosterUpdate: OnRosterUpdate(message.RosterUpdate!); break;
                default: Refuse("a command that this agent does not know"); break;
            }
        }

        return [.. _effects];

        void Refuse(string reason) => _effects.Add(new Effect.Refuse(reason, message.Term, attempt));

        void Obey(int obeyed = 0)
        {
            obeyed = Math.Max(obeyed, ObeyedAttempt);
            if (message.Term == Term && obeyed == ObeyedAttempt)
                return;
            (Term, ObeyedAttempt) = (message.Term, obeyed);
            _effects.Add(new Effect.Persist(Term, ObeyedAttempt));
        }

        void OnRestart(Restart restart)
        {
            var next = restart.Attempt;
            if (restart.Mode is not (Restart.Types.Mode.Process or Restart.Types.Mode.InPlace))
                Refuse("a restart of an unknown mode");
            else if (next < 1 || next < Highest)
                Refuse($"attempt {next} is over: attempt {Highest} is the one here");
            else if (_ending is Ending.Halt || _terminating)
                Refuse("the agent is ending");
            else if (sidecar && Phase == Phase.Running && restart.Mode == Restart.Types.Mode.Process)
                Refuse("a sidecar cannot restart its worker's process, only the whole Pod");
            else if (next == Attempt && Phase is Phase.Running or Phase.Exited)
            {
                // A late repetition from before the release. Obeying it would run one attempt twice.
                Refuse($"attempt {next} has been released here already");
                _effects.Add(new Effect.SayState());
            }
            else if (IsAwaiting(next))
            {
                Obey(next);
                if (_ending is null)
                    _effects.Add(new Effect.SayState());
            }
            else
            {
                Obey(next);
                var inPlace = restart.Mode == Restart.Types.Mode.InPlace;
                // A fresh process that has not been told anything yet is already what a restart would give.
                if (inPlace && !(Phase == Phase.Waiting && Attempt == 0))
                    EndThen(new Ending.RestartInPlace(next), restart.GraceMs, restart.Reason);
                else
                    EndThen(new Ending.WaitFor(next), restart.GraceMs, restart.Reason);
            }
        }

        void OnRelease(Release release)
        {
            var next = release.Attempt;
            if (Phase == Phase.Running && _ending is null && next == Attempt)
            {
                Obey(next);
                _effects.Add(new Effect.SayState());
            }
            else if (Phase != Phase.Waiting)
                Refuse($"not waiting: {Describe()}");
            else if (next < 1 || next < Highest)
                Refuse($"attempt {next} is over: attempt {Highest} is waited for");
            else if (RosterBytes.Of(release, out var problem) is not { } json)
                Refuse(problem);
            else if (Roster.TryRead(json.Span, next, release.Rank, out problem) is not { } roster)
                Refuse(problem);
            else
            {
                Obey(next);
                (Phase, Attempt, _rank, _exit, _rosterAttempt) = (Phase.Running, next, release.Rank, null, next);
                _effects.Add(new Effect.StartWorker(roster, json, release.Rank));
                _effects.Add(new Effect.SayState());
            }
        }

        void OnRosterUpdate(Release update)
        {
            if (Phase != Phase.Running || _ending is not null || update.Attempt <= _rosterAttempt || update.Rank != _rank)
                Refuse($"no news for rank {update.Rank}: {Describe()}, with the roster of attempt {_rosterAttempt}");
            else if (RosterBytes.Of(update, out var problem) is not { } json)
                Refuse(problem);
            else if (Roster.TryRead(json.Span, update.Attempt, update.Rank, out problem) is not { } roster)
                Refuse(problem);
            else
            {
                Obey();
                _rosterAttempt = update.Attempt;
                _effects.Add(new Effect.WriteRoster(roster, json));
                _effects.Add(new Effect.SayState());
            }
        }

        void OnQuiesce(Quiesce quiesce)
        {
            if (Phase != Phase.Running || _ending is not null || quiesce.Attempt != Attempt)
            {
                Refuse($"nothing of attempt {quiesce.Attempt} to save: {Describe()}");
                return;
            }

            Obey();
            var signal = quiesce.Signal > 0 ? quiesce.Signal : Libc.SigUsr1;
            _effects.Add(new Effect.Quiesce(Attempt, signal, TimeSpan.FromMilliseconds(Math.Max(0, quiesce.DeadlineMs))));
        }

        void OnRun(RunCommand run)
        {
            if (run.Id.Length == 0)
                Refuse("a command to run without an id");
            else if (run.Argv.Count == 0 || string.IsNullOrWhiteSpace(run.Argv[0]) || run.Argv.Any(a => a.Contains('\0', StringComparison.Ordinal)))
                Refuse($"command {run.Id} is none: no program is named, or an argument holds a zero byte");
            else if (run.TimeoutMs <= 0)
                Refuse($"command {run.Id} has no time to run: its timeout is {run.TimeoutMs} ms");
            else
            {
                Obey();
                _effects.Add(new Effect.Run(run));
            }
        }

        void OnHalt(Halt halt)
        {
            Obey();
            // The kubelet would start a sidecar again whatever its code, so one that waits goes on waiting until its Pod is deleted.
            if (sidecar && Phase != Phase.Running)
                _effects.Add(new Effect.SayState());
            else
                EndThen(sidecar ? new Ending.RestartInPlace(Attempt) : new Ending.Halt(halt.ExitCode & 0xff), halt.GraceMs, halt.Reason);
        }
    }

    /// <summary>The worker has ended, by itself or by us, and its tree is gone; or it could not be started.</summary>
    /// <param name="exit">How.</param>
    /// <param name="byItself">It had ended before anything was done to end it, whatever was commanded since.</param>
    internal IReadOnlyList<Effect> OnWorkerEnded(WorkerExit exit, bool byItself = false)
    {
        _effects.Clear();
        if (Phase != Phase.Running)
            return [];
        _exit = exit;
        if (_ending is Ending.Fenced fenced && !byItself)
            _exit = new WorkerExit(exit) { Code = 137, Signal = Libc.SigKill, StderrTail = $"fenced: {fenced.Why}\n{OutputTail.Last(exit.StderrTail, OutputTail.WorkerCapacity - 256)}" };
        if (_terminating && _ending is not Ending.Halt)
        {
            if (_ending is null)
                _exit = new WorkerExit(exit) { PodEnding = true };
            Phase = Phase.Exited;
            _effects.Add(new Effect.SayState());
            // Told to go it has gone, tidily: its Pod must not look as if its work were done.
            _effects.Add(new Effect.Leave(exit.Code == 0 ? 128 + _terminatedBy : exit.Code));
        }
        else if (_ending is null or Ending.Fenced)
        {
            Phase = Phase.Exited;
            _effects.Add(new Effect.SayState());
        }
        else
        {
            // Told to restart it was dead already: it may be what the others, who were heard first, have died of.
            if (byItself && _ending is (Ending.WaitFor or Ending.RestartInPlace))
            {
                Phase = Phase.Exited;
                _effects.Add(new Effect.SayState(Snapshot()));
            }

            Finish(_ending);
        }

        _ending = null;
        return [.. _effects];
    }

    /// <summary>The agent is told to end, with SIGTERM or the image's own stop signal: the Pod is being ended.</summary>
    internal IReadOnlyList<Effect> OnTerminate(int signal = Libc.SigTerm)
    {
        _effects.Clear();
        (_terminating, _terminatedBy) = (true, signal);
        if (Phase == Phase.Running)
            return [sidecar ? new Effect.Leave(128 + signal) : new Effect.SignalWorker(signal)];
        return Phase == Phase.Leaving ? [] : Leave(128 + signal);
    }

    /// <summary>The fence period is over.</summary>
    internal IReadOnlyList<Effect> OnFenced(string why)
    {
        if (Phase != Phase.Running)
            return [];
        if (sidecar)
            return Leave(restartExitCode);
        _ending ??= new Ending.Fenced(why);
        return [new Effect.EndWorker(TimeSpan.Zero, $"fenced: {why}")];
    }

    /// <summary>Nobody has asked for this ended worker's Pod for too long.</summary>
    internal IReadOnlyList<Effect> OnHoldOver() => Phase == Phase.Exited ? Leave(ExitCode) : [];

    private int Highest => Math.Max(Math.Max(Attempt, ObeyedAttempt), _ending switch
    {
        Ending.WaitFor w => w.Attempt,
        Ending.RestartInPlace r => r.Attempt,
        _ => 0,
    });

    private bool IsAwaiting(int attempt) => _ending switch
    {
        Ending.WaitFor w => w.Attempt == attempt,
        Ending.RestartInPlace r => r.Attempt == attempt,
        _ => Phase == Phase.Waiting && Attempt == attempt,
    };

    private void EndThen(Ending ending, int graceMs, string reason)
    {
        if (Phase == Phase.Running && !sidecar)
        {
            // Whoever was to leave leaves, though it be for a later attempt: a new process serves that as well.
            _ending = (_ending, ending) is (Ending.RestartInPlace, Ending.WaitFor w) ? new Ending.RestartInPlace(w.Attempt) : ending;
            _effects.Add(new Effect.EndWorker(TimeSpan.FromMilliseconds(Math.Max(0, graceMs)), reason));
        }
        else
            Finish(ending);
    }

    private void Finish(Ending ending)
    {
        switch (ending)
        {
            case Ending.WaitFor wait:
                (Phase, Attempt, _rank, _exit) = (Phase.Waiting, wait.Attempt, 0, null);
                _effects.Add(new Effect.SayState());
                break;
            case Ending.RestartInPlace restart:
                Attempt = restart.Attempt;
                _effects.AddRange(Leave(restartExitCode));
                break;
            case Ending.Halt halt:
                _effects.AddRange(Leave(halt.Code));
                break;
        }
    }

    private Effect[] Leave(int code)
    {
        Phase = Phase.Leaving;
        return [new Effect.SayState(), new Effect.Leave(code)];
    }

    private string Describe() => _ending is null ? $"{Phase} attempt {Attempt}" : $"the worker of attempt {Attempt} is being ended";
}
