namespace TrainingSupervisor.Testing.Runtime;

/// <summary>Containers without processes: they live until they are told to exit, and obey signals at once.</summary>
internal sealed class SimulatedRuntime : IContainerRuntime
{
    public IContainer Start(ContainerLaunch launch) => new SimulatedContainer();

    public Task<int?> ExecuteAsync(ContainerLaunch launch, TimeSpan timeout, CancellationToken cancellationToken) => Task.FromResult<int?>(0);

    public IAttachedCommand Attach(ContainerLaunch launch) => new SimulatedCommand();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A command that does nothing and succeeds.</summary>
internal sealed class SimulatedCommand : IAttachedCommand
{
    public Stream Input => Stream.Null;

    public Stream Output => Stream.Null;

    public Stream Error => Stream.Null;

    public Task<int> Exited { get; } = Task.FromResult(0);

    public void Kill()
    {
    }

    public void Dispose()
    {
    }
}

/// <summary>One run of a simulated container.</summary>
internal sealed class SimulatedContainer : IContainer
{
    private readonly TaskCompletionSource<int> _exit = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int? ProcessId => null;

    public Task<int> Exited => _exit.Task;

    public void Exit(int code) => _exit.TrySetResult(code);

    public void Signal(int signal) => Exit(128 + signal);

    public void Kill() => Signal(Libc.SigKill);

    public IReadOnlyList<int> FindProcesses() => [];
}
