namespace TrainingSupervisor.Testing.Runtime;

/// <summary>Starts containers for the embedded kubelets.</summary>
internal interface IContainerRuntime : IAsyncDisposable
{
    /// <summary>Starts a container's main process.</summary>
    /// <exception cref="ContainerStartException">The process cannot be started.</exception>
    IContainer Start(ContainerLaunch launch);

    /// <summary>Runs a command to its end beside a container and returns its exit code, or null when time ran out.</summary>
    Task<int?> ExecuteAsync(ContainerLaunch launch, TimeSpan timeout, CancellationToken cancellationToken);

    /// <summary>Starts a command beside a container, its streams with the caller.</summary>
    /// <exception cref="ContainerStartException">The process cannot be started.</exception>
    IAttachedCommand Attach(ContainerLaunch launch);
}
