using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>The room against an embedded API server.</summary>
internal sealed class Fixture : IAsyncDisposable, ILoggerFactory, ILogger
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<GangInput> _inputs = Channel.CreateUnbounded<GangInput>();
    private readonly ConcurrentQueue<(string Part, TaskCompletionSource Came)> _awaited = new();

    private Fixture(EmbeddedCluster cluster) => Cluster = cluster;

    public static GangSpec Spec { get; } = Gang.Create("llm")
        .AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithOnePerNode().WithAgentFromImageVolume("agent:1"))
        .Build();

    public EmbeddedCluster Cluster { get; }
    public List<GangInput> Seen { get; } = [];
    public Task Watching { get; private set; } = Task.CompletedTask;

    /// <summary>What was logged at Information and above.</summary>
    public ConcurrentQueue<string> Logged { get; } = new();

    public static async Task<Fixture> StartAsync(Action<EmbeddedClusterOptions>? configure = null)
    {
        var options = new EmbeddedClusterOptions { BookmarkInterval = TimeSpan.FromMilliseconds(200) };
        configure?.Invoke(options);
        return new Fixture(await EmbeddedCluster.StartAsync(options));
    }

    public KubernetesGangClusterFactory Factory(string? token = null, Action<KubernetesOptions>? configure = null, TimeProvider? time = null)
    {
        var options = new KubernetesOptions { WatchIdleTimeout = TimeSpan.FromSeconds(2), LeaseDuration = TimeSpan.FromSeconds(1) };
        configure?.Invoke(options);
        var client = KubernetesConnection.Open(token is null ? Cluster.CreateClientConfiguration() : Cluster.CreateClientConfiguration(token), options);
        return new KubernetesGangClusterFactory(client, options, time ?? TimeProvider.System, this);
    }

    public void Watch(Ports.IGangCluster cluster, GangSpec? spec = null) =>
        Watching = cluster.WatchAsync(spec ?? Spec, i => _inputs.Writer.TryWrite(i), _stopping.Token);

    /// <summary>Waits for an input; what came before it is in <see cref="Seen"/>.</summary>
    public async Task<T> ExpectAsync<T>(Func<T, bool>? where = null)
        where T : GangInput =>
        await TryExpectAsync(TimeSpan.FromSeconds(40), where) ?? throw new TimeoutException($"no {typeof(T).Name} came; but {string.Join('\n', Seen)}");

    /// <summary>Null if it does not come in time.</summary>
    public async Task<T?> TryExpectAsync<T>(TimeSpan time, Func<T, bool>? where = null)
        where T : GangInput
    {
        using var patience = new CancellationTokenSource(time);
        try
        {
            while (true)
            {
                var input = await _inputs.Reader.ReadAsync(patience.Token);
                Seen.Add(input);
                if (input is T match && (where is null || where(match))) return match;
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Ends when something with this in it is logged after the call, at any level but Trace.</summary>
    public Task LoggedAsync(string part)
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _awaited.Enqueue((part, came));
        return came.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Cluster.DisposeAsync();
        _stopping.Dispose();
    }

    void IDisposable.Dispose()
    {
    }

    ILogger ILoggerFactory.CreateLogger(string categoryName) => this;

    void ILoggerFactory.AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var message = formatter(state, exception);
        if (logLevel >= LogLevel.Information) Logged.Enqueue(message);
        foreach (var (part, came) in _awaited)
        {
            if (message.Contains(part, StringComparison.Ordinal)) came.TrySetResult();
        }
    }
}
