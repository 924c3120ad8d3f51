using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>GANG_DIR is full, read-only or not there. The kernel's own device for a full disk stands in for one.</summary>
public sealed class BrokenDirectoryTests : AgentTest
{
    [Fact]
    public async Task Restart_WhenTheStateCannotBeKept_IsObeyedAndSaidOnce()
    {
        Fill(".agent-state.new");
        var agent = await RunAsync("sleep 60");
        await Gateway.NextStateAsync(Phase.Running);

        await Gateway.SayAsync(Restart(2));
        Assert.Equal(2, (await Gateway.NextStateAsync(Phase.Waiting)).Attempt);
        await Gateway.SayAsync(Release(1));

        Assert.Contains("attempt 1 is over", (await Gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("cannot be kept", StringComparison.Ordinal)), "the reason in the log");
        var line = Assert.Single(agent.Lines, l => l.Contains("cannot be kept", StringComparison.Ordinal));
        Assert.Contains("No space left on device", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("roster.json.new")]
    [InlineData("hosts.new")]
    public async Task Release_WhenTheWorkersFilesCannotBeWritten_IsNotStarted(string name)
    {
        Fill(name);
        var agent = await RunAsync("sleep 60");

        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.True(exit.NotStarted);
        Assert.StartsWith($"cannot write the worker's files to {GangDirectory}: No space left on device", exit.StderrTail, StringComparison.Ordinal);
        await Gateway.SayAsync(Halt(7));
        Assert.Equal(7, await agent.ExitAsync());
    }

    [Fact]
    public async Task Run_WithADirectoryThatCannotBe_WaitsAndSaysWhyAtTheRelease()
    {
        var agent = Start(["sleep", "60"], v => v["GANG_DIR"] = "/proc/no/such");
        await Gateway.HelloAsync();
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("GANG_DIR /proc/no/such cannot be used: ", StringComparison.Ordinal)), "the reason in the log");

        await Gateway.SayAsync(Release(1));
        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;

        Assert.True(exit.NotStarted);
        Assert.Contains("/proc/no/such", exit.StderrTail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_WithAStateFileOfRubbish_StartsAsNew()
    {
        Directory.CreateDirectory(GangDirectory);
        await File.WriteAllTextAsync(Path.Combine(GangDirectory, ".agent-state"), "rubbish\0");

        var agent = Start("sleep", "60");

        Assert.Equal(0, (await Gateway.HelloAsync()).Term);
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("is not readable; starting as in a new Pod", StringComparison.Ordinal)), "the reason in the log");
    }

    private void Fill(string name)
    {
        Directory.CreateDirectory(GangDirectory);
        File.CreateSymbolicLink(Path.Combine(GangDirectory, name), "/dev/full");
    }
}
