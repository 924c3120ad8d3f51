using System.Text.Json;

namespace TrainingSupervisor.Samples.Tests.Trainer;

/// <summary>The trainer as the agent starts it.</summary>
public sealed class TrainerProcessTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly string _text;

    public TrainerProcessTests() => _text = _directory.Write("text", string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog. ", 20)));

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Trainer_PeerIsKilled_OthersSayWhoIsLostAndEndWith13()
    {
        using var gang = new Gang(this, 3, steps: 1_000_000);
        await gang.StepAsync();
        gang.Ranks[1].Signal(9);
        var codes = await gang.EndAsync();

        Assert.Equal([13, 137, 13], codes);
        Assert.Equal(["trainer: lost peer rank 1: it closed the connection"], gang.Ranks[2].Lines);
        Assert.StartsWith("trainer: lost peer rank ", Assert.Single(gang.Ranks[0].Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trainer_AskedToSave_AllAnswerWithOneStepDoNoOtherAndGoOnFromIt()
    {
        int step;
        using (var gang = new Gang(this, 3, steps: 1_000_000))
        {
            await gang.StepAsync();
            foreach (var rank in gang.Ranks) rank.Signal(10);
            step = await gang.SavedAsync();
            foreach (var rank in gang.Ranks) rank.Signal(9);
            var killed = await gang.EndAsync();
            Assert.Equal([137, 137, 137], killed);
            Assert.All(Enumerable.Range(0, 3), rank => Assert.StartsWith($"step {step} ", gang.Said(rank).Last(l => l.StartsWith("step ", StringComparison.Ordinal)), StringComparison.Ordinal));
        }

        using var next = new Gang(this, 3, steps: step + 3);
        var codes = await next.EndAsync();
        Assert.Equal([0, 0, 0], codes);
        Assert.Equal(Enumerable.Range(1, step + 3), File.ReadLines(_directory["run/loss.csv"]).Select(l => int.Parse(l.Split(',')[0], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Trainer_ApplicationError_EndsWith1AndOneLine()
    {
        var faults = Directory.CreateDirectory(_directory["faults"]).FullName;
        File.WriteAllText(Path.Combine(faults, "fail-0-5"), "");
        using var gang = new Gang(this, 2, steps: 100, "--faults", faults);
        var codes = await gang.EndAsync();

        Assert.Equal([1, 13], codes);
        Assert.Equal(["trainer: bad sample in shard 0 at step 5"], gang.Ranks[0].Lines);
        Assert.Equal(["trainer: lost peer rank 0: it closed the connection"], gang.Ranks[1].Lines);
    }

    [Fact]
    public async Task Trainer_DiskFull_SaysSoAndKeepsTheOlderCheckpoint()
    {
        Directory.CreateDirectory(_directory["run"]);
        File.CreateSymbolicLink(_directory["run/step-00000020.ckpt.tmp"], "/dev/full");
        using var gang = new Gang(this, 2, steps: 100);
        var codes = await gang.EndAsync();

        Assert.Equal([1, 13], codes);
        Assert.StartsWith("trainer: cannot write step-00000020.ckpt: No space left on device", Assert.Single(gang.Ranks[0].Lines), StringComparison.Ordinal);
        Assert.True(File.Exists(_directory["run/step-00000010.ckpt"]));
    }

    [Theory]
    [InlineData("trainer: --steps must be a number from 1 to 2147483647, not 'x'", "--text", "t", "--checkpoints", "c", "--steps", "x")]
    [InlineData("trainer: unknown option --help", "--help")]
    public async Task Trainer_BadCommandLine_EndsWith64AndOneLine(string message, params string[] args)
    {
        using var program = new Program(Built.Trainer, args);

        Assert.Equal(64, await program.EndAsync());
        Assert.Equal([message], program.Lines);
    }

    [Fact]
    public async Task Trainer_TextIsMissing_EndsWith1AndOneLine()
    {
        using var program = new Program(Built.Trainer, ["--text", "/no/such/text", "--checkpoints", _directory["run"]]);

        Assert.Equal(1, await program.EndAsync());
        Assert.Contains("/no/such/text", Assert.Single(program.Lines), StringComparison.Ordinal);
    }

    private sealed class Gang : IDisposable
    {
        private readonly string[] _progress;

        public Gang(TrainerProcessTests test, int size, int steps, params string[] more)
        {
            _progress = [.. Enumerable.Range(0, size).Select(rank => test._directory.Write($"progress-{rank}", ""))];
            var roster = test._directory.Write("roster.json", JsonSerializer.Serialize(new { workers = Enumerable.Repeat(new { address = "127.0.0.1" }, size) }));
            var port = Ports.FreeRange(size);
            Ranks = [.. Enumerable.Range(0, size).Select(rank => new Program(
                Built.Trainer,
                ["--text", test._text, "--checkpoints", test._directory["run"], "--steps", $"{steps}", "--hidden", "8", .. more],
                new Dictionary<string, string>
                {
                    ["RANK"] = $"{rank}", ["WORLD_SIZE"] = $"{size}", ["MASTER_PORT"] = $"{port}", ["GANG_ROSTER_FILE"] = roster,
                    ["GANG_PROGRESS_FILE"] = _progress[rank],
                }))];
        }

        public IReadOnlyList<Program> Ranks { get; }

        /// <summary>Returns when they train.</summary>
        public async Task StepAsync()
        {
            using var limit = new CancellationTokenSource(Program.Patience);
            while (new FileInfo(_progress[0]).Length == 0) await Task.Delay(10, limit.Token);
        }

        public string[] Said(int rank)
        {
            using var reader = new StreamReader(new FileStream(_progress[rank], FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }

        /// <summary>Returns the step of which all have said last that it is saved.</summary>
        public async Task<int> SavedAsync()
        {
            using var limit = new CancellationTokenSource(Program.Patience);
            while (true)
            {
                var last = Enumerable.Range(0, Ranks.Count).Select(r => Said(r) is [.., var line] ? line : "").Distinct().ToList();
                if (last is [var one] && one.StartsWith("checkpoint ", StringComparison.Ordinal)) return int.Parse(one["checkpoint ".Length..], System.Globalization.CultureInfo.InvariantCulture);
                await Task.Delay(10, limit.Token);
            }
        }

        public Task<int[]> EndAsync() => Task.WhenAll(Ranks.Select(r => r.EndAsync()));

        public void Dispose()
        {
            foreach (var rank in Ranks) rank.Dispose();
        }
    }
}
