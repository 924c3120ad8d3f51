using System.Diagnostics;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>Plays all scenarios once, several at a time, for all tests of the suite.</summary>
public sealed class ConformanceRun : IAsyncLifetime
{
    private const int AtOnce = 8;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    internal IReadOnlyList<ScenarioResult> Results { get; private set; } = [];

    internal static IReadOnlyList<Scenario> Scenarios { get; } =
        [.. PodScenarios.All().Concat(NodeScenarios.All()).Concat(HttpScenarios.All()).Concat(WatchScenarios.All()).Concat(ExecScenarios.All())
            .OrderBy(s => s.Group, StringComparer.Ordinal).ThenBy(s => s.Name, StringComparer.Ordinal)];

    public async Task InitializeAsync()
    {
        using var places = new SemaphoreSlim(AtOnce);

        // The long ones first: they set how long the whole takes.
        var order = Scenarios.OrderByDescending(s => s.Name is "ra-backoff" or "crash-always" || s.Group == "Nodes");
        var results = await Task.WhenAll(order.Select(async scenario =>
        {
            await places.WaitAsync();
            try
            {
                return await Task.Run(() => PlayAsync(scenario));
            }
            finally
            {
                places.Release();
            }
        }));
        Results = [.. results.OrderBy(r => r.Scenario.Group, StringComparer.Ordinal).ThenBy(r => r.Scenario.Name, StringComparer.Ordinal)];
        ConformanceReport.Save(ConformanceReport.Write(Results));
    }

    public Task DisposeAsync() => Task.CompletedTask;

    private static async Task<ScenarioResult> PlayAsync(Scenario scenario)
    {
        var clock = Stopwatch.StartNew();
        using var limit = new CancellationTokenSource(s_limit);
        try
        {
            return new(scenario, await scenario.Run(limit.Token).WaitAsync(limit.Token), clock.Elapsed);
        }
        catch (Exception e)
        {
            return new(scenario, [e.ToString()], clock.Elapsed);
        }
    }
}
