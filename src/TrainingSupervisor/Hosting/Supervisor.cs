using System.Collections.Concurrent;
using k8s;
using k8s.Exceptions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TrainingSupervisor.Gateway;
using TrainingSupervisor.Kubernetes;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor;

/// <summary>The hosted service behind <see cref="ITrainingSupervisor"/>.</summary>
internal sealed class Supervisor : ITrainingSupervisor, IHostedService, IAsyncDisposable
{
    private readonly TrainingSupervisorOptions _options;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly AgentGateway _gateway;
    private readonly UserDetectors _detectors;
    private readonly Lazy<IGangClusterFactory> _cluster;
    private readonly ConcurrentDictionary<string, GangRunner> _runners = new();
    /// <summary>They have ended, and others of their names are in their places; their observers may still be told of the end.</summary>
    private readonly ConcurrentDictionary<GangRunner, Task> _replaced = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _starting = new(1);
    private bool _listening;
    private bool _disposed;

    /// <param name="options">How to reach the cluster, and be reached.</param>
    /// <param name="detectors">The users' own.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Where the log goes.</param>
    /// <param name="cluster">Another than that of the options: tests have their own.</param>
    public Supervisor(
        IOptions<TrainingSupervisorOptions> options, IEnumerable<IFailureDetector> detectors, TimeProvider time, ILoggerFactory loggers, IGangClusterFactory? cluster = null)
    {
        _options = options.Value;
        _time = time;
        _loggers = loggers;
        _detectors = new UserDetectors(detectors);
        _gateway = new AgentGateway(_options.Gateway, time, loggers);
        _cluster = new Lazy<IGangClusterFactory>(() => cluster ?? Connect());
    }

    public IReadOnlyCollection<GangHandle> Gangs => [.. _runners.Values.Select(r => r.Handle)];

    public async Task<GangHandle> LaunchAsync(GangSpec gang, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(gang);
        ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
        await ListenAsync(cancellationToken);
        var key = $"{gang.Namespace}/{gang.Name}";
        var ended = _runners.GetValueOrDefault(key) is { Completion.IsCompleted: true } last ? last : null;
        // Its Lease and its agents' door are given up a moment after it has ended.
        if (ended is not null) await ended.LeftAsync(cancellationToken);
        var runner = new GangRunner(gang, _cluster.Value, _gateway, _detectors, _time, _loggers.CreateLogger<GangRunner>());
        try
        {
            if (!(ended is null ? _runners.TryAdd(key, runner) : _runners.TryUpdate(key, runner, ended)))
            {
                throw new SupervisorException($"Gang '{gang.Name}' in namespace '{gang.Namespace}' runs in this process already; use its handle, or another name.");
            }

            await runner.StartAsync(_stopping.Token, cancellationToken);
        }
        catch
        {
            if (ended is null) _runners.TryRemove(new(key, runner));
            else _runners.TryUpdate(key, ended, runner);
            await runner.DisposeAsync();
            throw;
        }

        if (ended is not null) Replaced(ended);
        return runner.Handle;
    }

    public Task StartAsync(CancellationToken cancellationToken) => ListenAsync(cancellationToken);

    /// <summary>Leaves the gangs as they are: workers train on, and the next supervisor takes over.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_disposed) return;
        await _stopping.CancelAsync();
        foreach (var runner in _runners.Values) await runner.DisposeAsync();
        await Task.WhenAll(_replaced.Values);
        await _gateway.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        await StopAsync(CancellationToken.None);
        _disposed = true;
        await _gateway.DisposeAsync();
        _stopping.Dispose();
        _starting.Dispose();
    }

    private void Replaced(GangRunner ended)
    {
        foreach (var done in _replaced.Where(r => r.Value.IsCompleted)) _replaced.TryRemove(done);
        _replaced[ended] = ended.DisposeAsync().AsTask();
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            if (_listening) return;
            await _gateway.StartAsync(cancellationToken);
            _listening = true;
        }
        finally
        {
            _starting.Release();
        }
    }

    private KubernetesGangClusterFactory Connect()
    {
        try
        {
            var configuration = _options.ClientConfiguration
                ?? (_options.KubeConfigPath is { } path ? KubernetesClientConfiguration.BuildConfigFromConfigFile(path, _options.KubeConfigContext)
                    : KubernetesClientConfiguration.IsInCluster() ? KubernetesClientConfiguration.InClusterConfig()
                    : KubernetesClientConfiguration.BuildConfigFromConfigFile(currentContext: _options.KubeConfigContext));
            return new KubernetesGangClusterFactory(KubernetesConnection.Open(configuration, _options.Kubernetes), _options.Kubernetes, _time, _loggers);
        }
        catch (Exception e) when (e is KubeConfigException or IOException or YamlDotNet.Core.YamlException or UriFormatException or FormatException or ArgumentException)
        {
            throw new SupervisorException($"The kubeconfig cannot be used: {e.Message} Check {_options.KubeConfigPath ?? "KUBECONFIG or ~/.kube/config"}.", e);
        }
    }
}
