namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A container that is a process of this machine with a session of its own.</summary>
internal sealed class ProcessContainer : IContainer
{
    private readonly IChildProcess _process;
    private readonly ProcessSweeper _sweeper;
    private readonly string _id;
    private readonly bool _ignoreUnhandledSignals;

    public ProcessContainer(IChildProcess process, string id, ProcessSweeper sweeper, bool ignoreUnhandledSignals)
    {
        _process = process;
        _id = id;
        _sweeper = sweeper;
        _ignoreUnhandledSignals = ignoreUnhandledSignals;
        Exited = WaitAsync();
    }

    public int? ProcessId => _process.Id;

    public Task<int> Exited { get; }

    public void Signal(int signal)
    {
        if (!_ignoreUnhandledSignals || signal == Libc.SigKill || ProcessTree.Handles(_process.Id, signal))
        {
            _process.Signal(signal);
        }
    }

    /// <summary>As with process 1 of a real container, all others follow its end.</summary>
    public void Kill() => Signal(Libc.SigKill);

    public IReadOnlyList<int> FindProcesses() => ProcessTree.Find(ProcessTree.ContainerVariable, _id, _process.Id);

    private async Task<int> WaitAsync()
    {
        var code = await _process.Exited.ConfigureAwait(false);
        await _sweeper.SweepAsync(_id, _process.Id).ConfigureAwait(false);
        return code;
    }
}
