namespace TrainingSupervisor.Testing;

/// <summary>What kind of cluster to start.</summary>
public sealed class EmbeddedClusterOptions
{
    /// <summary>How many nodes, named <c>node-1</c> and so on, unless <see cref="NodeNames"/> names them. Default: 1.</summary>
    public int NodeCount { get; set; } = 1;

    /// <summary>The nodes' names; overrides <see cref="NodeCount"/> when not empty.</summary>
    public IList<string> NodeNames { get; } = [];

    /// <summary>Serve HTTPS with a certificate authority of the cluster's own, else plain HTTP. Default: true.</summary>
    public bool UseTls { get; set; } = true;

    /// <summary>The loopback port of the API server. Default: 0, any free port.</summary>
    public int Port { get; set; }

    /// <summary>What <c>/version</c> reports. Default: v1.36.2.</summary>
    public string KubernetesVersion { get; set; } = "v1.36.2";

    /// <summary>The gate <c>ContainerRestartRules</c>. When off, container restart rules are dropped without a word. Default: on.</summary>
    public bool ContainerRestartRules { get; set; } = true;

    /// <summary>The gate <c>RestartAllContainersOnContainerExits</c>. When off, the action is refused with 422. Default: on.</summary>
    public bool RestartAllContainers { get; set; } = true;

    /// <summary>
    /// Any namespace exists: the first request that names it creates it. When off, objects can only be created in a namespace that
    /// exists, as in a real cluster. Default: on.
    /// </summary>
    public bool CreateNamespaces { get; set; } = true;

    /// <summary>How often a watch that asked for bookmarks gets one. Default: 10 s.</summary>
    public TimeSpan BookmarkInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many changes of each kind of object a watch can look back on. Default: 10,000.</summary>
    public int HistorySize { get; set; } = 10_000;

    /// <summary>The duration of each node's Lease, which is renewed at a quarter of it. Default: 40 s.</summary>
    public TimeSpan NodeLeaseDuration { get; set; } = TimeSpan.FromSeconds(40);

    /// <summary>Where the nodes keep their volumes and logs. Default: a temporary directory that is deleted on dispose.</summary>
    public string? DataDirectory { get; set; }

    /// <summary>The cluster's clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>How the kubelets behave.</summary>
    public KubeletOptions Kubelet { get; } = new();

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(NodeCount);
        ArgumentOutOfRangeException.ThrowIfNegative(Port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Port, 65535);
        ArgumentOutOfRangeException.ThrowIfLessThan(HistorySize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(BookmarkInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(NodeLeaseDuration, TimeSpan.Zero);
        ArgumentException.ThrowIfNullOrEmpty(KubernetesVersion);
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }
}
