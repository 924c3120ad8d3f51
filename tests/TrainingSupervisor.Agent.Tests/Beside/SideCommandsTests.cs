using TrainingSupervisor.Agent.Beside;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests.Beside;

public sealed class SideCommandsTests
{
    private readonly Dictionary<string, TaskCompletionSource<SideResult>> _running = [];
    private readonly List<string> _started = [];
    private readonly List<CommandResult> _answers = [];
    private readonly SideCommands _commands;
    private bool _mayStart = true;

    public SideCommandsTests() => _commands = new SideCommands(
        c =>
        {
            _started.Add(c.Id);
            return (_running[c.Id] = new TaskCompletionSource<SideResult>()).Task;
        },
        _answers.Add, () => _mayStart, work => work());

    [Fact]
    public void Ask_MoreThanMayRunAtOnce_LetsTheOthersWaitTheirTurn()
    {
        for (var i = 0; i < 6; i++)
            Assert.True(Ask($"{i}"));
        Assert.Equal(["0", "1", "2", "3"], _started);

        End("2");
        Assert.Equal(["0", "1", "2", "3", "4"], _started);
        End("0");
        Assert.Equal("5", _started[^1]);
        Assert.Equal(["2", "0"], _answers.Select(a => a.Id));
    }

    [Fact]
    public void Ask_TheSameIdAgain_RunsItOnceAndAnswersFromWhatIsThere()
    {
        Ask("a");
        Ask("a");
        End("a", new SideResult(3, true, "out"));
        Ask("a");

        Assert.Equal(["a"], _started);
        Assert.Equal([new CommandResult { Id = "a", ExitCode = 3, TimedOut = true, Output = "out" }, _answers[0]], _answers);
    }

    [Fact]
    public void Ask_OfAResultThatIsOlderThanTheLastSixteen_RunsAgain()
    {
        for (var i = 0; i <= SideCommands.MostRemembered; i++)
        {
            Ask($"{i}");
            End($"{i}");
        }

        Ask("1");
        Assert.Single(_started, "1");
        Ask("0");
        Assert.Equal(2, _started.Count(s => s == "0"));
    }

    [Fact]
    public void Ask_WhileNothingMayStart_WaitsUntilItMay()
    {
        _mayStart = false;
        Ask("a");
        Assert.Empty(_started);

        _mayStart = true;
        _commands.StartNext();

        Assert.Equal(["a"], _started);
    }

    [Fact]
    public void Ask_MoreThanCanWait_IsNotTaken()
    {
        for (var i = 0; i < SideCommands.MostAtOnce + SideCommands.MostWaiting; i++)
            Assert.True(Ask($"{i}"));

        Assert.False(Ask("one more"));
        End("0");
        Assert.True(Ask("one more"));
    }

    [Fact]
    public void Ask_WhenRunningItThrows_AnswersAndGoesOn()
    {
        Ask("a");
        Contextless.Run(() => _running["a"].SetException(new InvalidOperationException("odd")));

        Assert.Equal((-1, "the agent cannot run it: odd"), (_answers[0].ExitCode, _answers[0].Output));
        Assert.Equal(0, _commands.Running);
    }

    private bool Ask(string id) => _commands.Ask(new RunCommand { Id = id, Argv = { "x" }, TimeoutMs = 1 });

    private void End(string id, SideResult? result = null) => Contextless.Run(() => _running[id].SetResult(result ?? new SideResult(0, false, "")));
}
