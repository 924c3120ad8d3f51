namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A command that runs beside a container, with somebody at its streams. Disposing it kills what still runs.</summary>
internal interface IAttachedCommand : IDisposable
{
    Stream Input { get; }

    Stream Output { get; }

    Stream Error { get; }

    /// <summary>The exit code, 128 + signal for one that was killed.</summary>
    Task<int> Exited { get; }

    /// <summary>Kills the command and what it has started.</summary>
    void Kill();
}
