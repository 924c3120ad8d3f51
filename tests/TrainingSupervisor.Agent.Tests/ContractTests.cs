using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TrainingSupervisor.Agent.Worker;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>docs/worker-contract.md says what the code does, and its examples run.</summary>
public sealed partial class ContractTests : AgentTest
{
    private static readonly string Document = File.ReadAllText(Metadata("Contract"));

    [Fact]
    public void Variables_InTheDocument_AreThoseThatAWorkerIsGiven()
    {
        var options = AgentOptions.FromEnvironment(Variables(), out _)!;
        var roster = Roster.TryRead(RosterJson(3).Span, 3, 1, out _)!;
        var given = WorkerSetup.Environment(options, roster, 1, [new("GANG_AGENT_SECRET_DIR", "/secret")]);

        Assert.Equal(given.Keys.Order(StringComparer.Ordinal), FirstColumn("What a worker is given").Where(n => !n.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(("3", "1", "2", "10.0.0.7", "29400", "2", "trainer-1", "10.0.0.9"), (given["GANG_ATTEMPT"], given["RANK"], given["WORLD_SIZE"], given["MASTER_ADDR"],
            given["MASTER_PORT"], given["TORCHELASTIC_RESTART_COUNT"], given["GANG_WORKER"], given["GANG_ADDRESS"]));
    }

    [Fact]
    public async Task Files_InTheDocument_AreThoseInTheDirectory()
    {
        await RunAsync("exec sleep 60");
        await Gateway.NextStateAsync(Phase.Running);
        await UntilAsync(() => File.Exists(Path.Combine(GangDirectory, "progress.sock")), "the socket");

        var files = Directory.GetFiles(GangDirectory).Select(f => Path.GetFileName(f)).Where(f => !f.StartsWith('.'));

        Assert.Equal(files.Order(StringComparer.Ordinal), FirstColumn("The files").Order(StringComparer.Ordinal));
        Assert.Equal(RosterJson(1).ToByteArray(), await File.ReadAllBytesAsync(Path.Combine(GangDirectory, "roster.json")));
        Assert.Equal("10.0.0.7 trainer-0\n10.0.0.9 trainer-1\n", await File.ReadAllTextAsync(Path.Combine(GangDirectory, "hosts")));
    }

    [Fact]
    public void Lines_InTheDocument_AreUnderstood()
    {
        List<string> logged = [];
        var tracker = new Progress.ProgressTracker(logged.Add);
        tracker.Reset(1);
        var lines = FirstColumn("What a worker may say").ToList();

        Assert.Equal(6, lines.Count);
        Assert.All(lines, l => Assert.NotEqual(Progress.ProgressLine.Ignored, tracker.Accept(l)));
        Assert.Empty(logged);
    }

    [Fact]
    public async Task ShellExample_AsTheWorker_IsHeard()
    {
        Start("sh", "-ec", Example("sh"));
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));

        var progress = (await Gateway.NextAsync(m => m.Progress?.Checkpoint == 3)).Progress;
        Assert.Equal((1, 3L), (progress.Attempt, progress.Step));
        Assert.Equal(0, (await Gateway.NextStateAsync(Phase.Exited)).Exit.Code);
    }

    [PythonFact]
    public async Task PythonExample_AsTheWorker_IsHeard()
    {
        Start("python3", "-c", Example("python"));
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));

        var progress = (await Gateway.NextAsync(m => m.Progress?.Checkpoint == 3)).Progress;
        Assert.Equal((1, 3L, "train"), (progress.Attempt, progress.Step, progress.Phase));
        var exit = (await Gateway.NextStateAsync(Phase.Exited)).Exit;
        Assert.Equal((0, ""), (exit.Code, exit.StderrTail));
    }

    /// <summary>What stands in backquotes in the first column of the table of this chapter.</summary>
    private static IEnumerable<string> FirstColumn(string chapter)
    {
        var from = Document.IndexOf("# " + chapter, StringComparison.Ordinal);
        Assert.True(from >= 0, chapter);
        var rows = Document[from..].Split('\n').SkipWhile(l => !l.StartsWith('|')).TakeWhile(l => l.StartsWith('|'));
        return rows.SelectMany(r => Quoted().Matches(r.Split('|')[1]).Select(m => m.Groups[1].Value));
    }

    private static string Example(string language)
    {
        var fence = $"```{language}\n";
        var from = Document.IndexOf(fence, StringComparison.Ordinal) + fence.Length;
        Assert.True(from >= fence.Length, language);
        return Document[from..Document.IndexOf("```", from, StringComparison.Ordinal)];
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();
}

/// <summary>Only where there is a python3; says so elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("python3", ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.WaitForExit();
            if (process.ExitCode != 0) Skip = "python3 does not work here";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip = "no python3 here";
        }
    }
}
