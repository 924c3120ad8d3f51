namespace TrainingSupervisor.Testing.Runtime;

/// <summary>One run of a container.</summary>
internal interface IContainer
{
    /// <summary>The main process, or null where there is none.</summary>
    int? ProcessId { get; }

    /// <summary>The exit code of the main process (128 + signal), once nothing of the container is left.</summary>
    Task<int> Exited { get; }

    /// <summary>Sends a signal to the main process only; does nothing after its end.</summary>
    void Signal(int signal);

    /// <summary>Kills everything in the container.</summary>
    void Kill();

    /// <summary>The processes that live in the container.</summary>
    IReadOnlyList<int> FindProcesses();
}
