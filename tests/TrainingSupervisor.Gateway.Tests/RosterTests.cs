using System.Collections.Immutable;
using System.IO.Compression;
using System.Text.Json;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class RosterTests
{
    internal static Engine.Roster Roster(int workers) => new("llm", 3, 29500,
    [
        .. Enumerable.Range(0, workers).Select(i => new RosterEntry(
            i, new WorkerId("trainer", i), $"llm-trainer-{i}-{i % 7}", $"{i:x8}-0000-4000-8000-{i * 7919:x12}", $"10.{i / 250 / 250}.{i / 250 % 250}.{i % 250}", $"node-pool-a-{i * 31 % 9973:0000}")),
    ]);

    [Fact]
    public async Task Release_ToAgentsOldAndNew_IsTheSameRosterForBoth()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var plain = await gang.JoinAsync("a");
        await using var zipped = await gang.JoinAsync("b", h => h.ReadsGzip = true);

        gang.Agents.Release(new ReleaseGang(3, Roster(200), [new("a", "uid-a", 0), new("b", "uid-b", 1)]));
        var first = (await plain.NextAsync(SupervisorMessage.KindOneofCase.Release)).Release;
        var second = (await zipped.NextAsync(SupervisorMessage.KindOneofCase.Release)).Release;

        Assert.True(first.RosterGzip.IsEmpty && second.Roster.IsEmpty);
        Assert.Equal(first.Roster.ToByteArray(), Unzip(second.RosterGzip.ToByteArray()));
        Assert.True(second.RosterGzip.Length < first.Roster.Length / 4, $"{second.RosterGzip.Length} of {first.Roster.Length}");
        using var json = JsonDocument.Parse(first.Roster.Memory);
        var worker = json.RootElement.GetProperty("workers")[199];
        Assert.Equal((199, "trainer-199", "10.0.0.199"), (worker.GetProperty("rank").GetInt32(), worker.GetProperty("worker").GetString(), worker.GetProperty("address").GetString()));
        Assert.Equal((3, 200, 29500), (json.RootElement.GetProperty("attempt").GetInt32(), json.RootElement.GetProperty("worldSize").GetInt32(), json.RootElement.GetProperty("masterPort").GetInt32()));
    }

    [Fact]
    public async Task Tell_WorkersThatRunOn_BringsTheRosterAndWhoHasIt()
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var agent = await gang.JoinAsync("a");

        gang.Agents.Tell(new TellRoster(Roster(2), [new("a", "uid-a", 1)]));
        var update = (await agent.NextAsync(SupervisorMessage.KindOneofCase.RosterUpdate)).RosterUpdate;

        Assert.Equal((3, 1), (update.Attempt, update.Rank));
        Assert.Contains("llm-trainer-0-0", update.Roster.ToStringUtf8(), StringComparison.Ordinal);
    }

    [Fact]
    public void For_ASmallRoster_IsNotCompressed() =>
        Assert.True(new RosterBytes(Roster(8)).For(new ReleaseTarget("a", "u", 0), 3, readsGzip: true).RosterGzip.IsEmpty);

    private static byte[] Unzip(byte[] bytes)
    {
        using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        gzip.CopyTo(plain);
        return plain.ToArray();
    }
}
