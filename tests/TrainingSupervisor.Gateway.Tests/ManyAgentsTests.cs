using System.Collections.Immutable;
using System.Diagnostics;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;
using Xunit.Abstractions;

namespace TrainingSupervisor.Gateway.Tests;

[CollectionDefinition(nameof(ManyAgentsTests), DisableParallelization = true)]
[Collection(nameof(ManyAgentsTests))]
public sealed class ManyAgentsTests(ITestOutputHelper output)
{
    [Fact]
    public Task Release_ToAThousandAgentsThatCameAtOnce_ReachesAll() => ReleaseAsync(gzip: true);

    /// <summary>What it costs agents that do not read compressed rosters, to compare.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public Task Release_ToAThousandAgentsThatReadNoGzip_ReachesAll() => ReleaseAsync(gzip: false);

    private async Task ReleaseAsync(bool gzip)
    {
        const int Count = 1000;
        await using var gateway = await GatewayFixture.StartAsync();
        // They send no heartbeats here, and on a busy machine it takes its time until all are there.
        await using var gang = gateway.Serve(more: g => g.WithHeartbeat(TimeSpan.FromMinutes(1)).WithFence(TimeSpan.FromMinutes(5)));
        var watch = Stopwatch.StartNew();
        var joined = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => Task.Run(() => gang.JoinPatientlyAsync($"p{i}", h => h.ReadsGzip = gzip))));
        var agents = joined.Select(j => j.Agent).ToList();
        var connected = watch.Elapsed;
        Assert.Equal(Count, gang.Sink.All.OfType<AgentSeen>().Select(s => s.Pod).Distinct().Count());

        var roster = RosterTests.Roster(Count);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        watch.Restart();
        gang.Agents.Release(new ReleaseGang(3, roster, [.. Enumerable.Range(0, Count).Select(i => new ReleaseTarget($"p{i}", $"uid-p{i}", i))]));
        var queued = watch.Elapsed;
        var ranks = await Task.WhenAll(agents.Select(a => Task.Run(async () => (await a.NextAsync(SupervisorMessage.KindOneofCase.Release)).Release)));
        var released = watch.Elapsed;

        Assert.Equal(Enumerable.Range(0, Count), ranks.Select(r => r.Rank));
        Assert.Empty(gang.Sink.All.OfType<AgentGone>());
        output.WriteLine($"{Count} agents over TLS connected in {connected.TotalSeconds:0.00} s with {joined.Sum(j => j.Refused)} tries in vain; roster {ranks[0].Roster.Length + ranks[0].RosterGzip.Length} bytes"
            + $" (gzip: {gzip}), queued in {queued.TotalMilliseconds:0} ms, had by the last agent after {released.TotalMilliseconds:0} ms,"
            + $" {(GC.GetTotalAllocatedBytes(precise: true) - before) / 1_000_000} MB allocated by both ends");
        Assert.InRange(connected, TimeSpan.Zero, TimeSpan.FromSeconds(120));
        await Task.WhenAll(agents.Select(a => a.DisposeAsync().AsTask()));
    }
}
