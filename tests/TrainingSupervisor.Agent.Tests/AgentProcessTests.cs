using System.Diagnostics;
using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>The built program itself, against a gateway on loopback.</summary>
#pragma warning disable CA1001 // Disposed asynchronously, by xunit.
public sealed class AgentProcessTests : IAsyncLifetime
{
    // The program where its own build put it: beside the tests it would lack the assemblies that their shared framework brings.
    private static readonly string Program = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "TrainingSupervisor.Agent", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/')), "gang-agent"));

    private readonly string _directory = Directory.CreateTempSubdirectory("agent").FullName;
    private readonly TestGateway _gateway = new();
    private readonly List<Process> _started = [];

    public Task InitializeAsync() => _gateway.StartAsync(Path.Combine(_directory, "secret"));

    public async Task DisposeAsync()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            process.Dispose();
        }

        await _gateway.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Run_ThroughAWholeLife_ObeysEachCommand()
    {
        var agent = Start("sh", "-c", "echo \"step $RANK\" >> $GANG_PROGRESS_FILE; echo bad >&2; test $GANG_ATTEMPT != 1 && exec sleep 60; exit 3");
        var hello = (await _gateway.NextAsync(m => m.Hello is not null)).Hello;
        Assert.Equal(("llm", "uid", Phase.Waiting, 0), (hello.Gang, hello.PodUid, hello.State.Phase, hello.State.Attempt));
        Assert.Equal("Bearer secret-token", _gateway.Authorizations[0]);

        await _gateway.SayAsync(Release(1));
        Assert.Equal(1, (await _gateway.NextAsync(m => m.Progress is not null)).Progress.Step);
        var exit = (await _gateway.NextStateAsync(Phase.Exited)).Exit;
        Assert.Equal((3, 0, "bad\n"), (exit.Code, exit.Signal, exit.StderrTail));

        await _gateway.SayAsync(Restart(2));
        Assert.Equal(2, (await _gateway.NextStateAsync(Phase.Waiting)).Attempt);
        await _gateway.SayAsync(Release(2));
        await _gateway.NextStateAsync(Phase.Running);
        await _gateway.SayAsync(Restart(3, inPlace: true));
        await _gateway.NextStateAsync(Phase.Leaving);
        Assert.Equal(88, await ExitAsync(agent));

        agent = Start("true");
        Assert.Equal(1, (await _gateway.NextAsync(m => m.Hello is not null)).Hello.Term);
        await _gateway.SayAsync(Release(2));
        Assert.Contains("attempt 2 is over", (await _gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
        await _gateway.SayAsync(Halt(9));
        Assert.Equal(9, await ExitAsync(agent));
    }

    [Fact]
    public async Task Restart_WithGrandchildrenInOtherSessions_LeavesNoneOfThem()
    {
        var pids = Path.Combine(_directory, "pids");
        Start("sh", "-c", $"setsid sh -c 'echo $$ >> {pids}; sleep 61 & echo $! >> {pids}; wait' & (setsid sleep 62 & echo $! >> {pids}) ; trap '' TERM; sleep 0.3; echo 'step 1' >> $GANG_PROGRESS_FILE; sleep 63");
        await _gateway.NextAsync(m => m.Hello is not null);
        await _gateway.SayAsync(Release(1));
        await _gateway.NextAsync(m => m.Progress is not null);
        var all = await File.ReadAllLinesAsync(pids);
        Assert.Equal(3, all.Length);
        Assert.All(all, pid => Assert.True(Directory.Exists($"/proc/{pid}")));

        await _gateway.SayAsync(Restart(2, grace: 100));
        await _gateway.NextStateAsync(Phase.Waiting);

        Assert.All(all, pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    [Theory]
    [InlineData("kill -SEGV $$", 139, 11, false)]
    [InlineData("exit 255", 255, 0, false)]
    [InlineData(null, 127, 0, true)]
    public async Task Release_OfACommandThatEnds_ReportsExactly(string? script, int code, int signal, bool notStarted)
    {
        Start(script is null ? ["no-such-program"] : ["sh", "-c", script]);
        await _gateway.NextAsync(m => m.Hello is not null);

        await _gateway.SayAsync(Release(1));
        var exit = (await _gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.Equal((code, signal, notStarted), (exit.Code, exit.Signal, exit.NotStarted));
        if (notStarted)
            Assert.Equal("command not found: no-such-program", exit.StderrTail);
    }

    [Fact]
    public async Task Quiesce_WorkerSaysCheckpoint_AnswersSavedAndSigtermGivesItsCode()
    {
        var agent = Start("sh", "-c", "trap 'echo checkpoint 5 >> $GANG_PROGRESS_FILE' USR1; trap 'exit 21' TERM; echo 'step 1' >> $GANG_PROGRESS_FILE; while :; do sleep 0.05; done");
        await _gateway.NextAsync(m => m.Hello is not null);
        await _gateway.SayAsync(Release(1));
        await _gateway.NextAsync(m => m.Progress is not null);

        await _gateway.SayAsync(Quiesce(1));
        Assert.True((await _gateway.NextAsync(m => m.Quiesced is not null)).Quiesced.Saved);

        using var kill = Process.Start("kill", ["-TERM", $"{agent.Id}"]);
        Assert.Equal(21, await ExitAsync(agent));
    }

    [Fact]
    public async Task Run_WithoutEnvironment_NamesAllThatIsMissing()
    {
        var info = new ProcessStartInfo(Program, ["run", "--", "true"]) { RedirectStandardError = true };
        using var agent = Process.Start(info)!;
        var error = await agent.StandardError.ReadToEndAsync();

        Assert.Equal(64, await ExitAsync(agent));
        foreach (var name in new[] { "GANG_NAME", "POD_UID", "GANG_AGENT_SECRET_DIR", "GANG_DIR", "KUBERNETES_SERVICE_HOST" })
            Assert.Contains(name, error, StringComparison.Ordinal);
    }

    private static async Task<int> ExitAsync(Process process)
    {
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(8));
        return process.ExitCode;
    }

    private Process Start(params string[] command)
    {
        var info = new ProcessStartInfo(Program, ["run", "--", .. command]);
        var variables = new Dictionary<string, string>
        {
            ["GANG_NAME"] = "llm", ["GANG_NAMESPACE"] = "default", ["GANG_ROLE"] = "trainer", ["POD_NAME"] = "pod", ["POD_UID"] = "uid",
            ["POD_IP"] = "127.0.0.1", ["NODE_NAME"] = "node", ["GANG_AGENT_SECRET_DIR"] = Path.Combine(_directory, "secret"),
            ["GANG_DIR"] = Path.Combine(_directory, "gang"), ["GANG_LIVENESS_URL"] = "http://127.0.0.1:1/livez",
        };
        foreach (var (name, value) in variables)
            info.Environment[name] = value;
        var process = Process.Start(info)!;
        _started.Add(process);
        return process;
    }
}
