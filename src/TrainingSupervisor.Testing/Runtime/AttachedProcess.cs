using System.Diagnostics;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A process with pipes. It is not the leader of a session: when its container ends, it is found by its environment.</summary>
internal sealed class AttachedProcess : IAttachedCommand
{
    private readonly Process _process;

    private AttachedProcess(Process process)
    {
        _process = process;
        Exited = WaitAsync();
    }

    public Stream Input => _process.StandardInput.BaseStream;

    public Stream Output => _process.StandardOutput.BaseStream;

    public Stream Error => _process.StandardError.BaseStream;

    public Task<int> Exited { get; }

    public static AttachedProcess Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new(Process.Start(start)!);
    }

    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private async Task<int> WaitAsync()
    {
        // Not WaitForExitAsync's own wait for the end of the output: whoever reads the streams waits for that.
        var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.Exited += (_, _) => exited.TrySetResult();
        _process.EnableRaisingEvents = true;
        if (_process.HasExited)
        {
            exited.TrySetResult();
        }

        await exited.Task.ConfigureAwait(false);
        return _process.ExitCode;
    }
}
