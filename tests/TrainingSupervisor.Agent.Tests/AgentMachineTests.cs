using TrainingSupervisor.Agent.State;
using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

public sealed class AgentMachineTests
{
    private readonly AgentMachine _machine = new("uid", 88);

    [Fact]
    public void Release_WhileWaiting_PersistsThenStartsThenSays()
    {
        var effects = _machine.On(Release(1));

        Assert.Collection(effects, e => Assert.Equal(new Effect.Persist(1, 1), e), e => Assert.IsType<Effect.StartWorker>(e), e => Assert.IsType<Effect.SayState>(e));
        Assert.Equal((Phase.Running, 1), (_machine.Phase, _machine.Attempt));
    }

    [Fact]
    public void Release_OfTheRunningAttempt_OnlySaysStateAgain()
    {
        _machine.On(Release(1));

        Assert.IsType<Effect.SayState>(Assert.Single(_machine.On(Release(1))));
    }

    [Fact]
    public void RestartProcess_WhileRunning_WaitsOnlyOnceTheTreeIsGone()
    {
        _machine.On(Release(1));

        Assert.Contains(_machine.On(Restart(2)), e => e is Effect.EndWorker);
        Assert.Equal(Phase.Running, _machine.Phase);
        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(Release(2))));
        _machine.OnWorkerEnded(new WorkerExit { Code = 137, Signal = 9 });
        Assert.Equal((Phase.Waiting, 2), (_machine.Phase, _machine.Attempt));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Restart_OfAFreshProcess_JustWaits(bool inPlace)
    {
        _machine.On(Restart(3, inPlace));

        Assert.Equal((Phase.Waiting, 3), (_machine.Phase, _machine.Attempt));
        Assert.IsType<Effect.SayState>(Assert.Single(_machine.On(Restart(3, inPlace))));
    }

    [Theory]
    [InlineData("waiting")]
    [InlineData("running")]
    [InlineData("exited")]
    public void RestartInPlace_FromAnyState_LeavesWithTheRestartCode(string from)
    {
        _machine.On(Restart(1));
        if (from != "waiting")
            _machine.On(Release(1));
        if (from == "exited")
            _machine.OnWorkerEnded(new WorkerExit { Code = 3 });

        var effects = _machine.On(Restart(2, inPlace: true)).ToList();
        if (from == "running")
            effects = [.. _machine.OnWorkerEnded(new WorkerExit { Code = 137 })];

        Assert.Equal(new Effect.Leave(88), effects[^1]);
        Assert.Equal(Phase.Leaving, _machine.Phase);
    }

    [Fact]
    public void Restart_OfTheAttemptThatRunsOrRan_IsRefused()
    {
        _machine.On(Release(2));

        Assert.IsType<Effect.Refuse>(_machine.On(Restart(2))[0]);
        _machine.OnWorkerEnded(new WorkerExit { Code = 1 });
        Assert.IsType<Effect.Refuse>(_machine.On(Restart(2))[0]);
        Assert.Equal(Phase.Exited, _machine.Phase);
    }

    public static TheoryData<string> Stale => ["old term", "old restart", "old release", "other pod", "bad rank", "old run", "run elsewhere"];

    [Theory]
    [MemberData(nameof(Stale))]
    public void On_StaleOrMisdirected_RefusesWithoutEffect(string which)
    {
        var machine = new AgentMachine("uid", 88, term: 5, obeyedAttempt: 4);
        var message = which switch
        {
            "old term" => Restart(9, term: 4),
            "old restart" => Restart(3, term: 5),
            "old release" => Release(3, term: 5),
            "other pod" => Restart(9, term: 5, uid: "other"),
            "old run" => Run("x", "true", term: 4),
            "run elsewhere" => Run("x", "true", term: 5, uid: "other"),
            _ => Release(5, term: 5, rank: 7),
        };

        var refuse = Assert.IsType<Effect.Refuse>(Assert.Single(machine.On(message)));

        Assert.NotEmpty(refuse.Reason);
        Assert.Equal((Phase.Waiting, 0, 5L, 4), (machine.Phase, machine.Attempt, machine.Term, machine.ObeyedAttempt));
    }

    [Fact]
    public void Welcome_OfALaterTerm_IsKeptAndEndsTheOldOnesSay()
    {
        Assert.Equal(new Effect.Persist(6, 0), Assert.Single(_machine.On(Welcome(6))));

        Assert.Empty(_machine.On(Welcome(6)));
        Assert.Empty(_machine.On(Welcome(9, uid: "other")));
        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(Restart(2, term: 5))));
        Assert.Equal(6, _machine.Term);
    }

    public static TheoryData<string, string[], int> Rubbish => new()
    {
        { "", ["true"], 1000 }, { "x", [], 1000 }, { "x", [""], 1000 }, { "x", [" "], 1000 }, { "x", ["true", "a\0b"], 1000 }, { "x", ["true"], 0 }, { "x", ["true"], -1 },
    };

    [Theory]
    [MemberData(nameof(Rubbish))]
    public void Run_OfRubbish_IsRefused(string id, string[] argv, int timeout)
    {
        var message = new SupervisorMessage { Term = 1, PodUid = "uid", RunCommand = new RunCommand { Id = id, Argv = { argv }, TimeoutMs = timeout } };

        Assert.NotEmpty(Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(message))).Reason);
    }

    [Theory]
    [InlineData("waiting")]
    [InlineData("running")]
    [InlineData("exited")]
    public void Run_InAnyState_RunsAndChangesNothing(string state)
    {
        if (state != "waiting")
            _machine.On(Release(1));
        if (state == "exited")
            _machine.OnWorkerEnded(new WorkerExit { Code = 3 });
        var before = _machine.Snapshot();

        var effects = _machine.On(Run("x", "true", term: 2));

        Assert.Equal("x", Assert.IsType<Effect.Run>(effects[^1]).Command.Id);
        Assert.Equal(before, _machine.Snapshot());
        // A term is a term, whatever is commanded in it.
        Assert.Equal(2, _machine.Term);
    }

    [Fact]
    public void Run_WhileLeaving_IsRefused()
    {
        _machine.On(Halt(0));

        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(Run("x", "true"))));
    }

    [Fact]
    public void OnFenced_WithALongTail_KeepsItsEnd()
    {
        _machine.On(Release(1));
        _machine.OnFenced("cut off");

        _machine.OnWorkerEnded(new WorkerExit { StderrTail = new string('x', 4080) + "the last words" });

        var tail = _machine.Snapshot().Exit.StderrTail;
        Assert.StartsWith("fenced: cut off\n", tail, StringComparison.Ordinal);
        Assert.EndsWith("the last words", tail, StringComparison.Ordinal);
        Assert.InRange(tail.Length, 3000, 4096);
    }

    [Theory]
    [InlineData(15, 143)]
    [InlineData(2, 130)]
    public void OnTerminate_WorkerThenEndsWithZero_PodDoesNotLookDone(int signal, int code)
    {
        _machine.On(Release(1));
        _machine.OnTerminate(signal);

        Assert.Contains(new Effect.Leave(code), _machine.OnWorkerEnded(new WorkerExit()));
    }

    [Fact]
    public void OnTerminate_Twice_LeavesOnce()
    {
        Assert.Contains(new Effect.Leave(130), _machine.OnTerminate(2));
        Assert.Empty(_machine.OnTerminate());
    }

    [Fact]
    public void OnWorkerEnded_ByItself_SaysTheExit()
    {
        _machine.On(Release(1));

        _machine.OnWorkerEnded(new WorkerExit { Code = 7 });

        Assert.Equal((Phase.Exited, 7), (_machine.Snapshot().Phase, _machine.Snapshot().Exit.Code));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OnWorkerEnded_ByItselfBeforeTheRestartThatCameMeanwhile_IsSaidAndThenObeyed(bool inPlace)
    {
        _machine.On(Release(1));
        _machine.On(Restart(2, inPlace));

        var effects = _machine.OnWorkerEnded(new WorkerExit { Code = 139, Signal = 11 }, byItself: true);

        var said = Assert.IsType<Effect.SayState>(effects[0]).Before!;
        Assert.Equal((Phase.Exited, 1, 139), (said.Phase, said.Attempt, said.Exit.Code));
        Assert.Equal((inPlace ? Phase.Leaving : Phase.Waiting, 2), (_machine.Phase, _machine.Attempt));
        Assert.Null(Assert.IsType<Effect.SayState>(effects[1]).Before);
    }

    [Fact]
    public void OnWorkerEnded_ByTheRestart_IsNoNews()
    {
        _machine.On(Release(1));
        _machine.On(Restart(2));

        Assert.Equal(new Effect.SayState(), Assert.Single(_machine.OnWorkerEnded(new WorkerExit { Code = 143, Signal = 15 })));
    }

    [Fact]
    public void OnFenced_OfAWorkerThatHasEndedByItself_KeepsItsEnd()
    {
        _machine.On(Release(1));
        _machine.OnFenced("cut off");

        _machine.OnWorkerEnded(new WorkerExit { Code = 0 }, byItself: true);

        Assert.Equal((Phase.Exited, 0, ""), (_machine.Phase, _machine.Snapshot().Exit.Code, _machine.Snapshot().Exit.StderrTail));
    }

    [Fact]
    public void OnFenced_WhileRunning_KillsAndSaysSo()
    {
        _machine.On(Release(1));

        Assert.IsType<Effect.EndWorker>(Assert.Single(_machine.OnFenced("cut off")));
        _machine.OnWorkerEnded(new WorkerExit { Code = 137, Signal = 9 });

        Assert.Equal(137, _machine.Snapshot().Exit.Code);
        Assert.StartsWith("fenced: cut off", _machine.Snapshot().Exit.StderrTail, StringComparison.Ordinal);
    }

    [Fact]
    public void OnTerminate_WithAndWithoutWorker_LeavesWithItsCodeOr143()
    {
        Assert.Contains(new Effect.Leave(143), new AgentMachine("uid", 88).OnTerminate());
        _machine.On(Release(1));
        Assert.Equal(new Effect.SignalWorker(15), Assert.Single(_machine.OnTerminate()));
        Assert.Contains(new Effect.Leave(5), _machine.OnWorkerEnded(new WorkerExit { Code = 5 }));
        Assert.True(_machine.Snapshot().Exit is { Code: 5, PodEnding: true });
    }

    [Fact]
    public void RosterUpdate_WhileRunning_WritesTheFilesAndTouchesNothing()
    {
        _machine.On(Release(1));

        Assert.Collection(_machine.On(RosterUpdate(3)), e => Assert.Equal(3, Assert.IsType<Effect.WriteRoster>(e).Roster.Attempt), e => Assert.IsType<Effect.SayState>(e));
        Assert.Equal((Phase.Running, 1, 3), (_machine.Phase, _machine.Attempt, _machine.Snapshot().RosterAttempt));
        Assert.Contains(_machine.On(Restart(2)), e => e is Effect.EndWorker);
    }

    [Fact]
    public void RosterUpdate_OldOrForAnotherRankOrWithoutWorker_IsRefused()
    {
        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(RosterUpdate(2))));
        _machine.On(Release(2));

        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(RosterUpdate(2))));
        Assert.IsType<Effect.Refuse>(Assert.Single(_machine.On(RosterUpdate(3, rank: 0))));
        Assert.Equal(2, _machine.Snapshot().RosterAttempt);
    }

    [Fact]
    public void OnWorkerEnded_AgentNotToldToEnd_IsItsOwnEnd()
    {
        _machine.On(Release(1));
        _machine.OnWorkerEnded(new WorkerExit { Code = 5 });

        Assert.False(_machine.Snapshot().Exit.PodEnding);
    }

    [Fact]
    public void Halt_WhileRunning_EndsTheTreeFirst()
    {
        _machine.On(Release(1));

        Assert.DoesNotContain(_machine.On(Halt(4)), e => e is Effect.Leave);
        Assert.Contains(new Effect.Leave(4), _machine.OnWorkerEnded(new WorkerExit { Code = 137 }));
    }
}
