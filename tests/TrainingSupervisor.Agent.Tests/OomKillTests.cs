using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>The program itself, and a counter of the OOM killer that the test can raise: a file system of its own where the cgroups are.</summary>
public sealed class OomKillTests : AgentTest
{
    private const string Kill = "echo 'oom_kill 1' > /sys/fs/cgroup/memory.events";

    // Where either version of cgroups has it.
    private const string OwnCounter = """
        cd /sys/fs/cgroup && mount -t tmpfs own . && cd /sys/fs/cgroup && mkdir memory && ln -s ../memory.events memory/memory.oom_control &&
        echo 'oom_kill 0' > memory.events && cd / && exec "$0" "$@"
        """;

    [NamespaceFact]
    public async Task Exit_JustAfterAKill_IsOutOfMemory()
    {
        await StartAsync($"{Kill}; exit 1");

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.Equal((1, true, 0L), (exit.Code, exit.OutOfMemory, exit.OomKillBeforeMs));
    }

    [NamespaceFact]
    public async Task Exit_AfterACommandOfTheAgentsWasKilled_IsNotOutOfMemory()
    {
        await StartAsync("while ! test -e $GANG_DIR/go; do sleep 0.02; done; exit 1");
        await Gateway.SayAsync(Run("dump", $"{Kill}; touch $GANG_DIR/killed; kill -9 $$"));
        Assert.Equal(137, (await Gateway.NextAsync(m => m.CommandResult is not null)).CommandResult.ExitCode);
        Assert.True(File.Exists(Path.Combine(GangDirectory, "killed")));

        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;
        Assert.Equal((1, false, 0L), (exit.Code, exit.OutOfMemory, exit.OomKillBeforeMs));
    }

    private async Task StartAsync(string script)
    {
        Start(["sh", "-c", script], null, ["unshare", "--mount", "sh", "-c", OwnCounter]);
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));
    }
}
