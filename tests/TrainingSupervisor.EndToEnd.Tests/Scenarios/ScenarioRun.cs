using System.Net;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>Plays all scenarios once, several at a time, for all tests of the suite. GANG_E2E_SCENARIO names one to play alone.</summary>
public sealed class ScenarioRun : IDisposable
{
    private const int AtOnce = 5;

    /// <summary>Late after 3.75 s, before the fence is over. On a busy machine that happens to well nodes too, so only where nodes are to die.</summary>
    private static readonly TimeSpan s_shortLease = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan s_usualLease = TimeSpan.FromSeconds(40);
    private readonly SemaphoreSlim _places = new(AtOnce);
    private Task<Dictionary<string, Task<ScenarioRow>>>? _run;

    internal static IReadOnlyList<Scenario> All { get; } = [.. WorkerScenarios.All(), .. PodScenarios.All(), .. NodeScenarios.All(), .. DeadlineScenarios.All(), .. PolicyScenarios.All()];

    internal static IReadOnlyList<Scenario> Chosen { get; } =
        [.. All.Where(s => Environment.GetEnvironmentVariable("GANG_E2E_SCENARIO") is not { Length: > 0 } only || s.Name == only)];

    /// <summary>Each scenario's row, or why there is none. Starts nothing before it is asked: on a real cluster all these tests are skipped.</summary>
    internal Task<Dictionary<string, Task<ScenarioRow>>> RowsAsync() => _run ??= PlayAllAsync();

    public void Dispose() => _places.Dispose();

    private async Task<Dictionary<string, Task<ScenarioRow>>> PlayAllAsync()
    {
        await using var calm = await StartAsync(s_usualLease);
        await using var deadly = await StartAsync(s_shortLease);
        // The long ones first: they set how long the whole takes.
        var rows = Chosen.OrderByDescending(s => s.Alone).ThenByDescending(s => s.IsLong).ToDictionary(s => s.Name, s => Task.Run(() => PlayAsync(s.NodesDie ? deadly : calm, s)));
        await Task.WhenAll(rows.Values).ContinueWith(static _ => { }, TaskScheduler.Default);
        var isWhole = Chosen.Count == All.Count && rows.Values.All(r => r.IsCompletedSuccessfully);
        if (isWhole && Environment.GetEnvironmentVariable(ScenarioTable.Variable) is { Length: > 0 }) ScenarioTable.Write(await Task.WhenAll(All.Select(s => rows[s.Name])));
        return rows;
    }

    private async Task<ScenarioRow> PlayAsync(Lab shared, Scenario scenario)
    {
        await _places.WaitAsync();
        try
        {
            if (!scenario.Alone) return await ScenarioPlayer.PlayAsync(shared, scenario);
            await using var own = await StartAsync(s_usualLease);
            return await ScenarioPlayer.PlayAsync(own, scenario);
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>Each scenario adds its nodes. Agents come through a relay, so that not even the end of a dead node's connections is seen.</summary>
    private static async Task<Lab> StartAsync(TimeSpan nodeLease)
    {
        var cluster = await EmbeddedTestCluster.StartAsync(0, options =>
        {
            options.NodeLeaseDuration = nodeLease;
            options.Kubelet.EvictionInterval = TimeSpan.FromSeconds(1);
        });
        var port = FreePort.Next();
        var relay = cluster.Embedded.CreateRelay(new IPEndPoint(IPAddress.Loopback, port));
        return await Lab.StartAsync(cluster, r => r with { Port = port, AdvertisedAddress = relay.EndPoint.ToString() });
    }
}
