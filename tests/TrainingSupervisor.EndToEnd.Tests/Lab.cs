using System.Reactive.Linq;
using System.Reactive.Threading.Tasks;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>An embedded cluster, real agents, and a launcher's host.</summary>
internal sealed class Lab : IAsyncDisposable
{
    public const string AgentImage = "local/gang-agent:1";
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private Lab(EmbeddedCluster cluster, IHost host)
    {
        Cluster = cluster;
        Host = host;
    }

    public EmbeddedCluster Cluster { get; }
    public IHost Host { get; private set; }

    public static async Task<Lab> StartAsync(int nodes)
    {
        var cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions { NodeCount = nodes, NodeLeaseDuration = TimeSpan.FromSeconds(4) });
        cluster.AddImage(AgentImage, typeof(Lab).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "AgentDirectory").Value!);
        return new Lab(cluster, await StartHostAsync(cluster));
    }

    public static GangBuilder Describe(int workers, int spares, params string[] command) => Gang.Create("job")
        .AddRole("w", r => r.WithCount(workers).WithSpares(spares).WithImage("local/worker:1").WithCommand(command).WithAgentFromImageVolume(AgentImage).WithOnePerNode())
        .WithHeartbeat(TimeSpan.FromMilliseconds(500))
        .WithFence(TimeSpan.FromSeconds(5))
        .WithStartDeadline(TimeSpan.FromSeconds(50))
        .WithBarrierDeadline(TimeSpan.FromSeconds(30));

    public Task<GangHandle> LaunchAsync(GangSpec spec) => Host.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(spec);

    /// <summary>Waits for an event; those of the past count too.</summary>
    public static async Task<T> ExpectAsync<T>(GangHandle gang, Func<T, bool> where)
        where T : GangEvent => await gang.Events.OfType<T>().FirstAsync(where).ToTask().WaitAsync(Patience);

    public static Task RunningAsync(GangHandle gang, int attempt) =>
        ExpectAsync<PhaseChanged>(gang, p => p.Phase == GangPhase.Running && p.Attempt == attempt);

    public async ValueTask DisposeAsync()
    {
        await Host.StopAsync();
        Host.Dispose();
        await Cluster.DisposeAsync();
    }

    private static async Task<IHost> StartHostAsync(EmbeddedCluster cluster)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddTrainingSupervisor(o =>
        {
            o.ClientConfiguration = cluster.CreateClientConfiguration();
            o.Gateway.ListenAddress = System.Net.IPAddress.Loopback;
            o.Gateway.AdvertisedAddress = "127.0.0.1";
            o.Kubernetes.LeaseDuration = TimeSpan.FromSeconds(5);
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }
}
