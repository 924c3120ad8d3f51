using System.Diagnostics;
using TrainingSupervisor.Protocol;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests.Sidecar;

/// <summary>The agent beside a worker that the kubelet starts: "gang-agent sidecar", and its startup probe "gang-agent ready".</summary>
public sealed class SidecarTests : AgentTest
{
    private readonly string _uid = $"uid-{Guid.NewGuid():N}";

    public SidecarTests() => Gateway.PodUid = _uid;

    [Fact]
    public async Task Release_OpensTheGateOnceAllIsThere()
    {
        await StartSidecarAsync();
        Assert.Equal(1, await ReadyAsync());
        Assert.False(File.Exists(In("env")));

        await Gateway.SayAsync(Release(1, uid: _uid));

        Assert.Equal((1, 1), await Gateway.NextStateAsync(Phase.Running) is var s ? (s.Attempt, s.Rank) : default);
        Assert.Equal(0, await ReadyAsync());
        Assert.Equal(RosterJson(1).ToByteArray(), await File.ReadAllBytesAsync(In("roster.json")));
        Assert.Equal("10.0.0.7 trainer-0\n10.0.0.9 trainer-1\n", await File.ReadAllTextAsync(In("hosts")));
        Assert.Equal("1 2 10.0.0.7 trainer-1 none", await ShellAsync($". {In("env")}; echo \"$RANK $WORLD_SIZE $MASTER_ADDR $GANG_WORKER ${{GANG_AGENT_SECRET_DIR-none}}\""));
        // The worker may be another user than the agent.
        Assert.Equal("666 666", await ShellAsync($"stat -c %a {In("progress")} {In("progress.sock")} | xargs"));
    }

    [Fact]
    public async Task Progress_OfTheWorker_IsReportedWhileItMayRun()
    {
        await StartSidecarAsync();
        Directory.CreateDirectory(GangDirectory);
        await File.WriteAllTextAsync(In("progress"), "step 99\n");

        await ReleaseAsync();
        await File.AppendAllTextAsync(In("progress"), "step 3 0.5\nunhealthy ECC\n");

        var said = (await Gateway.NextAsync(m => m.Progress is not null)).Progress;
        Assert.Equal((1, 3L, 0.5, "ECC"), (said.Attempt, said.Step, said.OwnSeconds, said.Unhealthy));
    }

    [Fact]
    public async Task RestartInPlace_EndsTheAgentWithTheRestartCodeAndClosesTheGate()
    {
        var agent = await StartSidecarAsync();
        await ReleaseAsync();

        await Gateway.SayAsync(Restart(2, inPlace: true, uid: _uid));

        Assert.Equal(2, (await Gateway.NextStateAsync(Phase.Leaving)).Attempt);
        Assert.Equal(88, await agent.ExitAsync());
        Assert.Equal(1, await ReadyAsync());
        await StartSidecarAsync();
        Assert.Equal(1, await ReadyAsync());
        await Gateway.SayAsync(Release(1, uid: _uid));
        Assert.Contains("attempt 1 is over", (await Gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
        Assert.Equal(1, await ReadyAsync());
        await Gateway.SayAsync(Release(2, uid: _uid));
        await Gateway.NextStateAsync(Phase.Running);
        Assert.Equal(0, await ReadyAsync());
    }

    [Fact]
    public async Task RestartProcess_OfAWorkerThatRuns_IsRefusedAndTheWorkerStays()
    {
        await StartSidecarAsync();
        await ReleaseAsync();

        await Gateway.SayAsync(Restart(2, uid: _uid));

        Assert.Contains("only the whole Pod", (await Gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
        Assert.Equal(0, await ReadyAsync());
    }

    [Fact]
    public async Task Terminate_WhileTheWorkerRuns_LeavesAtOnceWithItsLastWordsAndWithoutSayingThatItEnded()
    {
        var agent = await StartSidecarAsync();
        await ReleaseAsync();
        await File.AppendAllTextAsync(In("progress"), "checkpoint 8\n");

        await agent.SignalAsync("TERM");

        Assert.Equal(143, await agent.ExitAsync());
        var last = await Gateway.NextAsync(m => m.Progress?.Checkpoint == 8 || m.State is { Phase: Phase.Exited or Phase.Leaving });
        Assert.NotNull(last.Progress);
    }

    [Fact]
    public async Task Halt_WhileItWaits_GoesOnWaitingSinceItsPodIsToBeDeleted()
    {
        await StartSidecarAsync();

        await Gateway.SayAsync(new SupervisorMessage { Term = 1, PodUid = _uid, Halt = new Halt { ExitCode = 1, Reason = "over" } });

        await Gateway.NextStateAsync(Phase.Waiting);
        await ReleaseAsync();
    }

    [Fact]
    public async Task Halt_WhileTheWorkerRuns_HasTheKubeletEndBoth()
    {
        var agent = await StartSidecarAsync();
        await ReleaseAsync();

        await Gateway.SayAsync(new SupervisorMessage { Term = 1, PodUid = _uid, Halt = new Halt { ExitCode = 1, Reason = "over" } });

        Assert.Equal(88, await agent.ExitAsync());
    }

    [Fact]
    public async Task Quiesce_AsksByAFileAndHearsTheCheckpoint()
    {
        await StartSidecarAsync();
        await ReleaseAsync();
        Assert.False(File.Exists(In("quiesce")));

        await Gateway.SayAsync(new SupervisorMessage { Term = 1, PodUid = _uid, Quiesce = new Quiesce { Attempt = 1, DeadlineMs = 60_000 } });
        await UntilAsync(() => File.Exists(In("quiesce")), "the request");
        Assert.InRange(long.Parse(await File.ReadAllTextAsync(In("quiesce")), System.Globalization.CultureInfo.InvariantCulture), DateTimeOffset.UtcNow.ToUnixTimeSeconds(), DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 61);
        await File.AppendAllTextAsync(In("progress"), "checkpoint 5\n");

        Assert.True((await Gateway.NextAsync(m => m.Quiesced is not null)).Quiesced.Saved);
    }

    [Fact]
    public async Task Release_WhenTheWorkersFilesCannotBeWritten_KeepsTheGateShutAndSaysWhy()
    {
        await StartSidecarAsync();
        Directory.CreateDirectory(In("roster.json.new"));

        await Gateway.SayAsync(Release(1, uid: _uid));

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;
        Assert.True(exit.NotStarted);
        Assert.StartsWith($"cannot write the worker's files to {GangDirectory}", exit.StderrTail, StringComparison.Ordinal);
        Assert.Equal(1, await ReadyAsync());
    }

    [Fact]
    public async Task Fence_WhenCutOff_HasTheKubeletEndTheWorker()
    {
        Gateway.FenceMs = 1500;
        var agent = await StartSidecarAsync();
        await ReleaseAsync();

        await Gateway.CloseAsync();

        Assert.Equal(88, await agent.ExitAsync());
    }

    private string In(string file) => Path.Combine(GangDirectory, file);

    private async Task<RunningAgent> StartSidecarAsync()
    {
        var agent = StartProgram([Program, "sidecar"], v => v["POD_UID"] = _uid);
        await Gateway.HelloAsync();
        return agent;
    }

    private async Task ReleaseAsync()
    {
        await Gateway.SayAsync(Release(1, uid: _uid));
        await Gateway.NextStateAsync(Phase.Running);
    }

    private async Task<int> ReadyAsync()
    {
        var info = new ProcessStartInfo(Program, ["ready"]) { RedirectStandardError = true };
        info.Environment["POD_UID"] = _uid;
        using var process = Process.Start(info)!;
        await process.WaitForExitAsync().WaitAsync(Limit);
        return process.ExitCode;
    }

    private static async Task<string> ShellAsync(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("env", ["-i", "PATH=/usr/bin:/bin", "sh", "-ec", script]) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output.Trim();
    }
}
