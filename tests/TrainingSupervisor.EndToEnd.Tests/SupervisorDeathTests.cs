using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>
/// The supervisor is killed with SIGKILL at ten moments that a seed chooses, half of them within a recovery, while real workers train.
/// Another seed: the variable GANG_E2E_SEED.
/// </summary>
[Collection(nameof(OneAtATime))]
public sealed class SupervisorDeathTests : IDisposable
{
    private const int Workers = 4;
    private const int Kills = 10;
    private const int Steps = 60;

    private readonly string _directory = Directory.CreateTempSubdirectory("gang-e2e-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [EmbeddedFact("its processes and files are looked at from outside")]
    public async Task Supervisor_KilledTenTimes_NoWorkerRestartsThatNeedNot()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("GANG_E2E_SEED"), out var given) ? given : 20261125;
        await using var cluster = await EmbeddedTestCluster.StartAsync(Workers, null);
        var request = Request(cluster, "llm", stepDelay: 40);
        var (failures, log) = await TrainAsync(cluster, request, new Random(seed));

        var starts = File.ReadAllLines(Path.Combine(_directory, "llm", "starts")).Order(StringComparer.Ordinal).ToList();
        var expected = Enumerable.Range(1, failures + 1).SelectMany(a => Enumerable.Range(0, Workers).Select(r => $"{a} {r}")).Order(StringComparer.Ordinal);
        Assert.True(expected.SequenceEqual(starts), $"seed {seed}: attempt and rank of each start were\n{string.Join('\n', starts)}\n{log}");
        Assert.False(File.Exists(Path.Combine(_directory, "llm", "twice")), $"seed {seed}: two workers of one rank at once");
        Assert.Equal(await UndisturbedAsync(cluster), File.ReadAllBytes(Path.Combine(_directory, "llm", "final.bin")));
    }

    private async Task<(int Failures, string Log)> TrainAsync(EmbeddedTestCluster cluster, GangRequest request, Random random)
    {
        var directory = Path.Combine(_directory, request.Name);
        // Rank 0 is held in the last step, so that training does not end before the last kill.
        var hold = Path.Combine(directory, "faults", $"hold-0-{Steps}");
        File.WriteAllText(hold, "");
        var failures = 0;
        var log = "";
        var supervisor = OutsideSupervisor.Start(request);
        try
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                var attempt = failures + 1;
                await supervisor.ExpectAsync(l => l.Phase == "Running" && l.Attempt == attempt && l.Running == Workers, TimeSpan.FromSeconds(120));
                if (kill % 2 == 1)
                {
                    // A recovery takes about 0.7 s here: the supervisor dies before, within or just after it.
                    await cluster.KillWorkerAsync($"{request.Name}-w-{random.Next(Workers)}-1");
                    failures++;
                }

                await Task.Delay(random.Next(0, 800));
                await supervisor.KillAsync();
                log += $"\n--- killed ---\n{supervisor.Log}";
                await supervisor.DisposeAsync();
                supervisor = OutsideSupervisor.Start(request);
            }

            File.Delete(hold);
            var end = await supervisor.ExpectAsync(l => l.Outcome is not null, TimeSpan.FromSeconds(120));
            log += supervisor.Log;
            Assert.True(end.Phase == "Succeeded", end.Outcome + log);
            return (failures, log);
        }
        finally
        {
            await supervisor.DisposeAsync();
        }
    }

    private async Task<byte[]> UndisturbedAsync(EmbeddedTestCluster cluster)
    {
        await using var supervisor = OutsideSupervisor.Start(Request(cluster, "calm", stepDelay: 0));
        var end = await supervisor.ExpectAsync(l => l.Outcome is not null, TimeSpan.FromSeconds(120));
        Assert.Equal(("Succeeded", 1), (end.Phase, end.Attempt));
        return File.ReadAllBytes(Path.Combine(_directory, "calm", "final.bin"));
    }

    private GangRequest Request(EmbeddedTestCluster cluster, string name, int stepDelay)
    {
        var directory = Path.Combine(_directory, name);
        Directory.CreateDirectory(Path.Combine(directory, "faults"));
        var script = RankLock.Script(directory, $"""
            {EmbeddedTestCluster.Metadata("Trainer")} --text {EmbeddedTestCluster.Metadata("Text")} --checkpoints . --faults faults \
              --steps {Steps} --checkpoint-every 4 --batch 16 --step-delay-ms {stepDelay}
            """);
        return cluster.Request(Workers, 0, ["sh", "-c", script]) with { Name = name, KubeConfig = cluster.KubeConfigFile, LeaseSeconds = 1, BarrierSeconds = 60 };
    }
}
