namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A process that this one has started.</summary>
internal interface IChildProcess
{
    int Id { get; }

    /// <summary>The exit code, 128 + signal for one that was killed.</summary>
    Task<int> Exited { get; }

    /// <summary>Sends a signal; does nothing after the end, when the number may belong to somebody else.</summary>
    void Signal(int signal);
}
