using LocalTraining.Trainer;

namespace TrainingSupervisor.Samples.Tests.Trainer;

/// <summary>Whole trainings, with all ranks in this process.</summary>
public sealed class TrainingTests : IDisposable
{
    private const int Size = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TempDirectory _directory = new();
    private readonly string _text;

    public TrainingTests() => _text = _directory.Write("text", string.Concat(Enumerable.Repeat("a gang trains, falls, and gets up again. ", 20)));

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Run_Twice_SameBitsAndTheLossFalls()
    {
        await TrainAsync("one", steps: 40);
        await TrainAsync("two", steps: 40);
        var losses = File.ReadLines(_directory["one/loss.csv"]).Select(l => float.Parse(l.Split(',')[1], System.Globalization.CultureInfo.InvariantCulture)).ToList();

        Assert.Equal(Weights("one"), Weights("two"));
        Assert.Equal(40, losses.Count);
        Assert.True(losses.TakeLast(5).Average() < losses.Take(5).Average() - 0.3, $"from {losses.Take(5).Average()} to {losses.TakeLast(5).Average()}");
    }

    [Fact]
    public async Task Run_StoppedAndResumed_SameBitsAsInOneGo()
    {
        await TrainAsync("whole", steps: 30);
        await TrainAsync("parts", steps: 13);
        File.Delete(_directory["parts/step-00000013.ckpt"]);
        var resumed = await TrainAsync("parts", steps: 30);

        Assert.All(resumed, step => Assert.Equal(10, step));
        Assert.Equal(Weights("whole"), Weights("parts"));
    }

    [Fact]
    public async Task Run_NewestCheckpointTorn_ResumesFromTheOneBefore()
    {
        await TrainAsync("whole", steps: 30);
        await TrainAsync("torn", steps: 20);
        var newest = _directory["torn/step-00000020.ckpt"];
        File.WriteAllBytes(newest, File.ReadAllBytes(newest)[..^100]);
        var resumed = await TrainAsync("torn", steps: 30);

        Assert.All(resumed, step => Assert.Equal(10, step));
        Assert.Equal(Weights("whole"), Weights("torn"));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(0)]
    public async Task Run_RanksSeeDifferentCheckpoints_AllResumeFromTheLastThatAllHave(int common)
    {
        await TrainAsync("whole", steps: 30);
        await TrainAsync("far", steps: 20);
        // Rank 1 sees another directory, as with a cache that lags behind.
        Directory.CreateDirectory(_directory["behind"]);
        if (common > 0) File.Copy(_directory["far/step-00000010.ckpt"], _directory["behind/step-00000010.ckpt"]);
        var resumed = await TrainAsync("far", steps: 30, rank => rank == 1 ? "behind" : "far");

        Assert.All(resumed, step => Assert.Equal(common, step));
        Assert.Equal(Weights("whole"), Weights("far"));
    }

    [Fact]
    public async Task Run_RehearsedFailure_StrikesInItsStepAndOnce()
    {
        var faults = Directory.CreateDirectory(_directory["faults"]).FullName;
        File.WriteAllText(Path.Combine(faults, "fail-1-17"), "");
        var error = await Assert.ThrowsAnyAsync<Exception>(() => TrainAsync("run", steps: 20, faults: faults));

        Assert.Equal("bad sample in shard 1 at step 17", error.Message);
        Assert.EndsWith("16", File.ReadLines(_directory["run/loss.csv"]).Last().Split(',')[0], StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(faults));
        Assert.All(await TrainAsync("run", steps: 20, faults: faults), step => Assert.Equal(10, step));
    }

    [Fact]
    public async Task Run_AskedToSaveAndNobodyEndsThem_GoesOnToTheSameBits()
    {
        await TrainAsync("whole", steps: 30);
        var requests = Enumerable.Range(0, Size).Select(_ => new SaveRequest()).ToArray();
        // One rank only, as by hand.
        requests[1].Ask();
        await TrainAsync("asked", steps: 30, requests: requests, pause: 1);

        Assert.Equal(Weights("whole"), Weights("asked"));
        Assert.All(requests, r => Assert.False(r.IsAsked));
    }

    [Fact]
    public async Task Run_Steps_SayTheirOwnSecondsAndNotThePeers()
    {
        var faults = Directory.CreateDirectory(_directory["faults"]).FullName;
        File.WriteAllText(Path.Combine(faults, "slow-1-11"), "");
        await TrainAsync("run", steps: 20, faults: faults, delay: 20);
        double Median(int rank, Func<int, bool> which) => File.ReadLines(_directory[$"progress-{rank}"]).Select(l => l.Split(' ')).Where(l => l[0] == "step" && which(Number(l[1])))
            .Select(l => double.Parse(l[2], System.Globalization.CultureInfo.InvariantCulture)).Order().ElementAt(4);

        // What a busy machine adds, it adds to a step here and there; what the slow rank adds, the others only wait for.
        Assert.InRange(Median(1, s => s > 10) / Median(0, s => s > 10), 1.5, 2.5);
        Assert.InRange(Median(1, s => s <= 10) / Median(0, s => s <= 10), 0.7, 1.4);
    }

    [Fact]
    public async Task Run_Held_SaysSoAndGoesOnWhenLetGo()
    {
        var faults = Directory.CreateDirectory(_directory["faults"]).FullName;
        File.WriteAllText(Path.Combine(faults, "hold-1-5"), "");
        var training = TrainAsync("run", steps: 20, faults: faults);
        using var limit = new CancellationTokenSource(Patience);
        while (!File.Exists(Path.Combine(faults, "held-1-5"))) await Task.Delay(10, limit.Token);
        Assert.False(training.IsCompleted);
        File.Delete(Path.Combine(faults, "hold-1-5"));
        await training;

        Assert.Equal(20, File.ReadLines(_directory["run/loss.csv"]).Count());
    }

    [Fact]
    public async Task Run_FewerSamplesThanRanks_SaysSo()
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => TrainAsync("run", steps: 20, batch: 2));

        Assert.Equal("--batch 2 is less than one sample for each of 3 ranks", error.Message);
    }

    private static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private byte[] Weights(string run) => File.ReadAllBytes(_directory[$"{run}/final.bin"]);

    /// <summary>Returns the step that each rank has resumed from.</summary>
    private async Task<int[]> TrainAsync(string run, int steps, Func<int, string>? place = null, string? faults = null, int batch = 9, int delay = 0, SaveRequest[]? requests = null, int pause = 30_000)
    {
        var port = Ports.FreeRange(Size);
        var addresses = Enumerable.Repeat("127.0.0.1", Size).ToArray();
        var roster = _directory.Write("roster.json", System.Text.Json.JsonSerializer.Serialize(new { workers = addresses.Select(address => new { address }) }));
        var rings = await Task.WhenAll(Enumerable.Range(0, Size).Select(r => RingConnector.ConnectAsync(r, addresses, port, 1, Patience)));
        var ranks = rings.Select((ring, rank) => Task.Factory.StartNew(
            () =>
            {
                using (ring)
                {
                    string[] args =
                    [
                        "--text", _text, "--checkpoints", _directory[place?.Invoke(rank) ?? run], "--steps", $"{steps}", "--batch", $"{batch}", "--hidden", "8", "--context", "4",
                        "--step-delay-ms", $"{delay}", "--save-pause-ms", $"{pause}",
                        .. faults is null ? (string[])[] : ["--faults", faults],
                    ];
                    using var contract = Contract.Read(name => name switch
                    {
                        "RANK" => $"{rank}",
                        "WORLD_SIZE" => $"{Size}",
                        "GANG_ROSTER_FILE" => roster,
                        "GANG_PROGRESS_FILE" => _directory[$"progress-{rank}"],
                        _ => null,
                    });
                    using var request = new SaveRequest();
                    var training = new Training(Arguments.Parse(args), contract, ring, requests?[rank] ?? request);
                    training.Run();
                    return training.Resumed;
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        var all = Task.WhenAll(ranks);
        try
        {
            return await all.WaitAsync(Patience);
        }
        catch (PeerLostException)
        {
            // Not the consequence but the cause.
            throw all.Exception!.InnerExceptions.First(e => e is not PeerLostException);
        }
    }
}
