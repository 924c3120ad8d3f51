using System.Collections.Concurrent;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>What all embedded kubelets share.</summary>
internal sealed record NodeContext(
    ObjectStore Store,
    TimeProvider Time,
    IContainerRuntime Runtime,
    KubeletOptions Options,
    string DataDirectory,
    TimeSpan LeaseDuration,
    Func<Uri?> ApiServer)
{
    public ImageStore Images { get; } = new();

    public PodAddresses Addresses { get; } = new();

    /// <summary>Problems of the cluster itself that had nobody to go to; tests look at them.</summary>
    public ConcurrentQueue<Exception> Errors { get; } = [];
}
