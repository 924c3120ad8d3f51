using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>The room against an embedded API server.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<GangInput> _inputs = Channel.CreateUnbounded<GangInput>();
    private Task _watching = Task.CompletedTask;

    private Fixture(EmbeddedCluster cluster) => Cluster = cluster;

    public static GangSpec Spec { get; } = Gang.Create("llm")
        .AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithOnePerNode().WithAgentFromImageVolume("agent:1"))
        .Build();

    public EmbeddedCluster Cluster { get; }
    public List<GangInput> Seen { get; } = [];

    public static async Task<Fixture> StartAsync(Action<EmbeddedClusterOptions>? configure = null)
    {
        var options = new EmbeddedClusterOptions { BookmarkInterval = TimeSpan.FromMilliseconds(200) };
        configure?.Invoke(options);
        return new Fixture(await EmbeddedCluster.StartAsync(options));
    }

    public KubernetesGangClusterFactory Factory(string? token = null, Action<KubernetesOptions>? configure = null)
    {
        var options = new KubernetesOptions { WatchIdleTimeout = TimeSpan.FromSeconds(1), LeaseDuration = TimeSpan.FromSeconds(1) };
        configure?.Invoke(options);
        var client = new k8s.Kubernetes(token is null ? Cluster.CreateClientConfiguration() : Cluster.CreateClientConfiguration(token));
        return new KubernetesGangClusterFactory(client, options, TimeProvider.System, NullLoggerFactory.Instance);
    }

    public void Watch(Ports.IGangCluster cluster) =>
        _watching = cluster.WatchAsync(Spec, i => _inputs.Writer.TryWrite(i), _stopping.Token);

    /// <summary>Waits for an input; what came before it is in <see cref="Seen"/>.</summary>
    public async Task<T> ExpectAsync<T>(Func<T, bool>? where = null)
        where T : GangInput
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var input = await _inputs.Reader.ReadAsync(patience.Token);
            Seen.Add(input);
            if (input is T match && (where is null || where(match))) return match;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Cluster.DisposeAsync();
        _stopping.Dispose();
    }
}
