namespace TrainingSupervisor.Samples.Tests.LocalTraining;

/// <summary>The sample as a user runs it.</summary>
[Collection("programs, one at a time")]
public sealed class MainJobTests
{
    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("--workers", "8", "--steps", "120")]
    [InlineData("--workers", "2")]
    [InlineData("--workers", "4", "--seed", "7")]
    [InlineData("--workers", "3", "--crash-supervisor", "false")]
    public async Task LocalTraining_EverythingBreaks_EndsWithIdenticalWeights(params string[] args)
    {
        var straggler = args.Contains("--steps");
        using var program = new Program(Built.LocalTraining, [.. straggler ? (string[])[] : ["--steps", "60"], .. args]);
        var code = await program.EndAsync();

        Assert.True(code == 0, program.Output);
        Assert.Equal("weights identical: yes", program.Lines[^1]);
        var faults = 5 + (args.Contains("false") ? 0 : 1) + (straggler ? 1 : 0);
        Assert.Equal(faults, program.Lines.Count(l => l.StartsWith("step ", StringComparison.Ordinal)));
        Assert.Equal(args.Contains("false") ? faults : faults + 1, program.Lines.Count(l => l.Contains(" s  fault ", StringComparison.Ordinal)));
        Assert.Equal(straggler ? 1 : 0, program.Lines.Count(l => l.StartsWith("straggler: rank ", StringComparison.Ordinal)));
        Assert.Equal(2, program.Lines.Count(l => l.StartsWith("moved in attempt ", StringComparison.Ordinal) && l.Contains(": spare llm-trainer-spare-", StringComparison.Ordinal)));
        Assert.Single(program.Lines, l => l.StartsWith("drained node: ", StringComparison.Ordinal) && l.EndsWith(", no step lost", StringComparison.Ordinal));
        Assert.Contains("picture: ", program.Output, StringComparison.Ordinal);
        Assert.True(new FileInfo(program.Work["local-training.png"]).Length > 10_000);
        Assert.Empty(program.LeftProcesses());
        Assert.Empty(program.LeftFiles);
    }

    [Fact]
    public async Task LocalTraining_WithoutChaos_EndsWithIdenticalWeights()
    {
        using var program = new Program(Built.LocalTraining, ["--steps", "20", "--workers", "2", "--no-chaos", "--crash-supervisor", "false"]);
        var code = await program.EndAsync();

        Assert.True(code == 0, program.Output);
        Assert.Equal("weights identical: yes", program.Lines[^1]);
        Assert.DoesNotContain(" fault ", program.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LocalTraining_OneBitDiffers_SaysNoAndFails()
    {
        using var program = new Program(Built.LocalTraining, ["--steps", "20", "--workers", "2", "--no-chaos", "--flip-bit"]);
        var code = await program.EndAsync();

        Assert.True(code == 1, program.Output);
        Assert.Equal("weights identical: no", program.Lines[^1]);
        Assert.StartsWith("1 of ", program.Lines[^2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task LocalTraining_UndisturbedOnlyAndKept_SaysTheHashAndKeepsTheWeights()
    {
        using var program = new Program(Built.LocalTraining, ["--steps", "20", "--workers", "2", "--undisturbed", "--keep"]);
        var code = await program.EndAsync();

        Assert.True(code == 0, program.Output);
        Assert.Matches("^weights: [0-9a-f]{64}$", program.Lines[^2]);
        Assert.StartsWith("kept: ", program.Lines[^1], StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(program.Lines[^1]["kept: ".Length..], "calm", "final.bin")));
    }

    [Theory]
    [InlineData("calm: ", 2, 130)]
    [InlineData("Starting, attempt 1", 2, 130)]
    [InlineData("Running, attempt 1", 15, 143)]
    [InlineData("Recovering, attempt 2", 2, 130)]
    public async Task LocalTraining_Interrupted_LeavesNothing(string when, int signal, int expected)
    {
        using var program = new Program(Built.LocalTraining, ["--steps", "60", "--workers", "2"]);
        await program.SeenAsync(when);
        program.Signal(signal);
        program.Signal(signal); // Someone is impatient; the clean-up goes on.
        var code = await program.EndAsync();

        Assert.True(code == expected, $"{code}: {program.Output}");
        Assert.Equal("stopped; gang, agents and workers have ended", program.Lines[^1]);
        Assert.Empty(program.LeftProcesses());
        Assert.Empty(program.LeftFiles);
    }

    [Fact]
    public async Task LocalTraining_Killed_NoProcessStaysAndTheNextRunDeletesItsFiles()
    {
        using var program = new Program(Built.LocalTraining, ["--steps", "100000", "--workers", "2", "--undisturbed"]);
        await program.SeenAsync("Running, attempt 1");
        Assert.NotEmpty(program.LeftProcesses());
        program.Signal(9);
        await program.EndAsync();
        using var limit = new CancellationTokenSource(Program.Patience);
        while (program.LeftProcesses().Count > 0) await Task.Delay(50, limit.Token);

        Assert.Single(program.LeftFiles);
        using var next = new Program(
            Built.LocalTraining, ["--steps", "20", "--workers", "2", "--undisturbed"], new Dictionary<string, string> { ["TMPDIR"] = program.TemporaryDirectory });
        Assert.Equal(0, await next.EndAsync());
        Assert.Empty(program.LeftFiles);
    }
}
