using System.Diagnostics;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A container that is a process of this machine with a session of its own.</summary>
internal sealed class ProcessContainer : IContainer
{
    private readonly Lock _gate = new();
    private readonly Process _process;
    private readonly string _id;
    private readonly int _processId;
    private bool _ended;

    public ProcessContainer(Process process, string id)
    {
        _process = process;
        _id = id;
        _processId = process.Id;
        Exited = WaitAsync();
    }

    public int? ProcessId => _processId;

    public Task<int> Exited { get; }

    public void Signal(int signal)
    {
        lock (_gate)
        {
            // After the end the number may belong to somebody else.
            if (!_ended)
            {
                _ = Libc.Kill(_processId, signal);
            }
        }
    }

    public void Kill()
    {
        foreach (var pid in FindProcesses())
        {
            _ = Libc.Kill(pid, Libc.SigKill);
        }

        Signal(Libc.SigKill);
    }

    public IReadOnlyList<int> FindProcesses() => ProcessTree.Find(ProcessTree.ContainerVariable, _id, _processId);

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        int code;
        lock (_gate)
        {
            _ended = true;
            code = _process.ExitCode;
            _process.Dispose();
        }

        // When process 1 of a real container ends, the kernel kills all others in it.
        await ProcessTree.KillAsync(ProcessTree.ContainerVariable, _id, _processId).ConfigureAwait(false);
        return code;
    }
}
