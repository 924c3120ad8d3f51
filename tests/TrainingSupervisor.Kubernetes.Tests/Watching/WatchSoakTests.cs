using System.Globalization;
using TrainingSupervisor.Kubernetes.Tests.Faults;
using Xunit.Abstractions;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

/// <summary>
/// Random changes and random faults, again and again. WATCH_SOAK_SEED gives another seed than the fixed one, WATCH_SOAK_ROUNDS more rounds:
/// a failure names both. It runs alone: what other tests hold must not count.
/// </summary>
[Collection(nameof(Alone))]
public sealed class WatchSoakTests(ITestOutputHelper output)
{
    private const int WarmUp = 6;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_RandomChangesAndFaults_IsTrueWheneverItIsQuietAndDoesNotGrow(bool http2)
    {
        var seed = Setting("WATCH_SOAK_SEED", 20261125);
        var rounds = Setting("WATCH_SOAK_ROUNDS", 18);
        var random = new Random(seed);
        await using var rig = await WatchRig.StartAsync(http2, configure: o => o.HistorySize = 100);
        rig.Options.WatchIdleTimeout = TimeSpan.FromSeconds(1.5);
        var alive = new List<string>();
        for (var i = 0; i < 12; i++) alive.Add(await rig.CreateAsync());
        rig.Watch();
        await rig.SyncedAsync();
        long warm = 0;
        var faults = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var round = 0;
        try
        {
            for (; round < rounds; round++)
            {
                var undo = new List<IDisposable>();
                for (var i = random.Next(1, 6); i > 0; i--)
                {
                    if (random.Next(3) == 0) Break(rig, random, undo, faults);
                    await ChangeAsync(rig, random, alive);
                }

                undo.ForEach(u => u.Dispose());
                await rig.CaughtUpAsync();
                rig.Told.Clear();
                rig.Cluster.Requests.Reset();
                if (round == WarmUp) warm = Retained();
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"WATCH_SOAK_SEED={seed} WATCH_SOAK_ROUNDS={rounds}, round {round}, {(http2 ? "HTTP/2" : "HTTP/1.1")}: {e.Message}", e);
        }

        var grown = Retained() - warm;
        output.WriteLine($"seed {seed}, {rounds} rounds, {string.Join(", ", faults.Select(f => $"{f.Value}× {f.Key}"))}; retained {grown / 1024:+#;-#;0} KiB");
        Assert.True(rounds <= WarmUp || grown < 4 * 1024 * 1024, $"{grown / 1024} KiB more than after {WarmUp} rounds (seed {seed})");
        await rig.EndAsync();
    }

    private static async Task ChangeAsync(WatchRig rig, Random random, List<string> alive)
    {
        switch (random.Next(4))
        {
            case 0 when alive.Count < 20:
                alive.Add(await rig.CreateAsync());
                break;
            case 1 when alive.Count > 5:
                var i = random.Next(alive.Count);
                await rig.DeleteAsync(alive[i]);
                alive.RemoveAt(i);
                break;
            case 2:
                var node = rig.Cluster.Nodes[$"node-{random.Next(1, 3)}"];
                await (random.Next(2) == 0 ? node.CordonAsync() : node.UncordonAsync());
                break;
            default:
                await rig.ChangeAsync(alive[random.Next(alive.Count)]);
                break;
        }
    }

    private static void Break(WatchRig rig, Random random, List<IDisposable> undo, SortedDictionary<string, int> faults)
    {
        var api = rig.Cluster.Api;
        var name = Pick();
        faults[name] = faults.GetValueOrDefault(name) + 1;

        string Pick()
        {
            switch (random.Next(9))
            {
                case 0:
                    api.DropWatches();
                    return "dropped";
                case 1:
                    api.AbortWatches();
                    return "reset";
                case 2:
                    rig.Wire.Cut();
                    return "cut";
                case 3:
                    rig.Wire.Silence();
                    return "dead line";
                case 4:
                    undo.Add(api.FreezeWatches());
                    return "frozen";
                case 5:
                    api.DropWatches();
                    api.CompactHistory();
                    return "compacted";
                case 6:
                    var status = new[] { 410, 429, 500, 503 }[random.Next(4)];
                    undo.Add(api.FailRequests(status, r => r.Verb == "watch", count: random.Next(1, 4)));
                    api.DropWatches();
                    return $"{status}";
                case 7:
                    var left = random.Next(1, 4);
                    rig.Proxy.OnLine = async (context, line, ct) =>
                    {
                        if (Interlocked.Decrement(ref left) != 0) return await ApiProxy.Through(context, line, ct);
                        await ApiProxy.Through(context, line[..(line.Length / 2)], ct);
                        return false;
                    };
                    return "half a line";
                default:
                    undo.Add(api.DelayWatchEvents(TimeSpan.FromMilliseconds(random.Next(200))));
                    return "late";
            }
        }
    }

    private static long Retained()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
