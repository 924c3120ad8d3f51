using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Ports;

/// <summary>The Kubernetes side of one gang. Calls retry what may be retried, and throw <see cref="SupervisorException"/> with a message for people.</summary>
internal interface IGangCluster : IAsyncDisposable
{
    /// <summary>
    /// Reads the gang record, or makes it with the gang's Secret and headless Service if there is none.
    /// Null in <see cref="GangBinding.Record"/>: the gang is new.
    /// </summary>
    Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken);

    /// <summary>Whether the gang record is there: a gang that has been led and has no record any more was ended by somebody else.</summary>
    Task<bool> ExistsAsync(GangSpec spec, CancellationToken cancellationToken);

    /// <summary>Feeds PodSeen, PodGone, NodeSeen, NodeGone and CacheSynced until cancelled. Never ends for a cluster's fault.</summary>
    Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken);

    /// <summary>Compare and swap with the resourceVersion that this instance read or wrote last. Throws <see cref="RecordConflictException"/> if another wrote or deleted it.</summary>
    Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken);

    Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken);

    Task DeletePodAsync(GangSpec spec, string name, string uid, bool force, CancellationToken cancellationToken);

    /// <summary>Puts <see cref="NodeMarks.Key"/> on the Node, or takes it away. A Node that is gone is success.</summary>
    Task MarkNodeAsync(GangSpec spec, string node, bool quarantined, CancellationToken cancellationToken);

    /// <summary>Deletes the record with background propagation; its Pods, Secret and Service go with it.</summary>
    Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken);
}

/// <summary>What a supervisor needs to lead a gang.</summary>
/// <param name="Record">The record as read, or null for a new gang.</param>
/// <param name="Credentials">The gang's token and certificate, from its Secret.</param>
/// <param name="RestartsInPlace">Whether the API server accepts RestartAllContainers (dry run).</param>
internal sealed record GangBinding(GangRecord? Record, GangCredentials Credentials, bool RestartsInPlace);

/// <summary>Never logged: ToString says nothing.</summary>
internal sealed class GangCredentials(string token, string certificatePem, string privateKeyPem)
{
    public string Token { get; } = token;
    public string CertificatePem { get; } = certificatePem;
    public string PrivateKeyPem { get; } = privateKeyPem;
    public override string ToString() => "(credentials)";
}

/// <summary>Another supervisor has written the record: this one does not lead any more.</summary>
internal sealed class RecordConflictException(string message) : SupervisorException(message);
