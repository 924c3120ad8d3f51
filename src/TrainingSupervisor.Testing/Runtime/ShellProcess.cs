using System.Diagnostics;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>A child for systems without the Linux flags of posix_spawn: a shell redirects the output.</summary>
internal sealed class ShellProcess : IChildProcess
{
    private const string Script = "exec \"$@\" </dev/null >>\"$0\" 2>&1";
    private readonly Lock _gate = new();
    private readonly Process _process;
    private bool _ended;

    private ShellProcess(Process process)
    {
        _process = process;
        Id = process.Id;
        Exited = WaitAsync();
    }

    public int Id { get; }

    public Task<int> Exited { get; }

    public static ShellProcess Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string output)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script, output, .. command]);
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new(Process.Start(start)!);
    }

    public void Signal(int signal)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _ = Libc.Kill(Id, signal);
            }
        }
    }

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        lock (_gate)
        {
            _ended = true;
            var code = _process.ExitCode;
            _process.Dispose();
            return code;
        }
    }
}
