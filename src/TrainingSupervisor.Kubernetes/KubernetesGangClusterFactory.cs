using Microsoft.Extensions.Logging;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>What hosting needs of this room.</summary>
internal sealed class KubernetesGangClusterFactory : IGangClusterFactory
{
    private readonly k8s.Kubernetes _client;
    private readonly KubernetesOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ApiCalls _calls;

    public KubernetesGangClusterFactory(k8s.Kubernetes client, KubernetesOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        _client = client;
        _options = options;
        _time = time;
        _log = loggers.CreateLogger("TrainingSupervisor.Kubernetes");
        _calls = new ApiCalls(options, client.BaseUri, time, Random);
        // Renewals wait behind nothing, however many Pods are being created, and one lost request must not cost the whole Lease.
        var patience = options.LeaseDuration / 4;
        var urgent = new ApiCalls(options, client.BaseUri, time, Random, patience < options.RequestTimeout ? patience : options.RequestTimeout);
        Leadership = new LeaseLeadership(client, _calls, urgent, options, time, _log);
    }

    public IGangLeadership Leadership { get; }

#pragma warning disable CA5394 // Jitter is no secret.
    public static double Random() => System.Random.Shared.NextDouble();
#pragma warning restore CA5394

    public IGangCluster Create() => new KubernetesGangCluster(_client, new KubernetesHttp(_client), _calls, _options, _time, _log);
}
