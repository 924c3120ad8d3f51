using System.Reactive.Linq;
using System.Reactive.Threading.Tasks;
using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A cluster, real agents, and a launcher's host.</summary>
internal sealed class Lab : IAsyncDisposable
{
    private readonly Func<GangRequest, GangRequest> _change;
    private readonly Action<IServiceCollection>? _services;

    private Lab(ITestCluster cluster, Func<GangRequest, GangRequest>? change, Action<IServiceCollection>? services)
    {
        _services = services;
        Cluster = cluster;
        _change = change ?? (r => r);
    }

    public ITestCluster Cluster { get; }
    public EmbeddedCluster Embedded => Cluster.Embedded ?? throw new InvalidOperationException("This needs the embedded cluster: mark the test with EmbeddedFact.");
    public IHost? Host { get; private set; }

    /// <param name="nodes">How many nodes the test needs.</param>
    /// <param name="configure">Settings of the embedded cluster.</param>
    /// <param name="services">What else is in the launcher's host.</param>
    public static async Task<Lab> StartAsync(int nodes, Action<EmbeddedClusterOptions>? configure = null, Action<IServiceCollection>? services = null) =>
        await StartAsync(RealTestCluster.IsChosen ? await RealTestCluster.StartAsync(nodes) : await EmbeddedTestCluster.StartAsync(nodes, configure), null, services);

    /// <param name="cluster">A cluster; ended with the lab.</param>
    /// <param name="change">What is otherwise in every gang and in the supervisor's addresses.</param>
    /// <param name="services">What else is in the launcher's host.</param>
    public static async Task<Lab> StartAsync(ITestCluster cluster, Func<GangRequest, GangRequest>? change, Action<IServiceCollection>? services = null)
    {
        var lab = new Lab(cluster, change, services);
        try
        {
            await lab.StartHostAsync();
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }

        return lab;
    }

    /// <summary>A worker that does nothing until it is killed. In a container's command, $$ is how Kubernetes writes one $.</summary>
    public GangBuilder Idle(int workers, int spares = 0) => Describe(workers, spares, "sh", "-c", "echo $$$$ > $GANG_DIR/pid; exec sleep 3600");

    public GangBuilder Describe(int workers, int spares, params string[] command) => _change(Cluster.Request(workers, spares, command)).Describe();

    public Task<GangHandle> LaunchAsync(GangBuilder gang) => Host!.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(gang.Build());

    /// <summary>Ends the supervisor of this process and starts another.</summary>
    public async Task RestartHostAsync()
    {
        await StopHostAsync();
        await StartHostAsync();
    }

    public async Task StopHostAsync()
    {
        if (Host is not { } host) return;
        Host = null;
        await host.StopAsync();
        host.Dispose();
    }

    /// <summary>Waits for an event; those of the past count too.</summary>
    public async Task<T> ExpectAsync<T>(GangHandle gang, Func<T, bool> where)
        where T : GangEvent
    {
        var seen = new List<GangEvent>();
        try
        {
            return await gang.Events.Do(seen.Add).OfType<T>().FirstAsync(where).ToTask().WaitAsync(Cluster.Patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"No {typeof(T).Name} as expected within {Cluster.Patience}. The last events:\n{string.Join('\n', seen.TakeLast(30))}");
        }
    }

    public Task RunningAsync(GangHandle gang, int attempt) =>
        ExpectAsync<PhaseChanged>(gang, p => p.Phase == GangPhase.Running && p.Attempt == attempt);

    /// <summary>Waits until the gang record says that this attempt runs and no plan is in progress: after the recovery's last write.</summary>
    public async Task RecordedAsync(GangHandle gang, int attempt)
    {
        using var client = CreateClient();
        await UntilAsync(async token =>
        {
            var map = await client.CoreV1.ReadNamespacedConfigMapAsync($"gang-{gang.Name}", Cluster.Namespace, cancellationToken: token);
            using var json = System.Text.Json.JsonDocument.Parse(map.Data["record"]);
            return json.RootElement.GetProperty("attempt").GetInt32() == attempt && !json.RootElement.TryGetProperty("plan", out _);
        });
    }

    /// <summary>Looks until it is so, for as long as this cluster may take.</summary>
    public async Task UntilAsync(Func<CancellationToken, Task<bool>> isSo)
    {
        using var patience = new CancellationTokenSource(Cluster.Patience);
        while (!await isSo(patience.Token)) await Task.Delay(20, patience.Token);
    }

    public Task UntilAsync(Func<bool> isSo) => UntilAsync(_ => Task.FromResult(isSo()));

    /// <summary>Waits until the Pods of the namespace are so.</summary>
    public async Task PodsAsync(Func<IList<V1Pod>, bool> areSo)
    {
        using var client = CreateClient();
        await UntilAsync(async token => areSo((await client.CoreV1.ListNamespacedPodAsync(Cluster.Namespace, cancellationToken: token)).Items));
    }

    public IKubernetes CreateClient() => new k8s.Kubernetes(Cluster.CreateConfiguration());

    public async ValueTask DisposeAsync()
    {
        await StopHostAsync();
        await Cluster.DisposeAsync();
    }

    private async Task StartHostAsync()
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddTrainingSupervisor(o =>
        {
            _change(Cluster.Request(1, 0, ["true"])).Configure(o);
            o.KubeConfigPath = null;
            o.ClientConfiguration = Cluster.CreateConfiguration();
        });
        _services?.Invoke(builder.Services);
        var host = builder.Build();
        await host.StartAsync();
        Host = host;
    }
}
