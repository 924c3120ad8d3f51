using k8s;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>Where an end-to-end test runs: the embedded cluster, or a real one (docs/real-cluster.md).</summary>
internal interface ITestCluster : IAsyncDisposable
{
    /// <summary>For faults that only it can inject; null on a real cluster.</summary>
    EmbeddedCluster? Embedded { get; }

    /// <summary>A namespace of the test's own; gone when this is disposed.</summary>
    string Namespace { get; }

    /// <summary>How long anything may take before a test gives up.</summary>
    TimeSpan Patience { get; }

    KubernetesClientConfiguration CreateConfiguration();

    /// <summary>A kubeconfig file for another process.</summary>
    string KubeConfigFile { get; }

    /// <summary>A request with all that this cluster asks for: images, addresses, deadlines.</summary>
    GangRequest Request(int workers, int spares, IReadOnlyList<string> command);

    /// <summary>SIGKILL for the worker's process in this Pod, and not for its agent. The worker has written its pid to <c>$GANG_DIR/pid</c>.</summary>
    Task KillWorkerAsync(string pod);
}
