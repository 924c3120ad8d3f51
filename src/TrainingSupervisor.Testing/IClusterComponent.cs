namespace TrainingSupervisor.Testing;

/// <summary>A part of the cluster that starts after the API server and ends before it.</summary>
internal interface IClusterComponent : IAsyncDisposable
{
    Task StartAsync(CancellationToken ct);
}
