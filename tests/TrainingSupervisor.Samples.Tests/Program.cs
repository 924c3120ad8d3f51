using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace TrainingSupervisor.Samples.Tests;

/// <summary>
/// A sample as a user runs it: a process with a temporary directory of its own. That directory's name is in the environment of everything
/// that the process starts, so leftovers can be told from other people's.
/// </summary>
internal sealed partial class Program : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);
    private readonly TempDirectory _temporary = new();
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Lock _lock = new();
    private readonly List<(string Text, TaskCompletionSource Seen)> _waiting = [];
    private readonly Task _reading;

    public Program(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        // A shell's background jobs ignore SIGINT, and so does all that they start: the tests may be one of these.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", file, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Work.Path,
        };
        start.Environment["TMPDIR"] = _temporary.Path;
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
    }

    /// <summary>Where it writes what it is asked to write.</summary>
    public TempDirectory Work { get; } = new();

    public int Id => _process.Id;

    public string TemporaryDirectory => _temporary.Path;

    /// <summary>Standard output and error so far, as they came.</summary>
    public string Output
    {
        get
        {
            lock (_lock) return _output.ToString();
        }
    }

    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>What is left in its temporary directory.</summary>
    public IReadOnlyList<string> LeftFiles => [.. Directory.EnumerateFileSystemEntries(_temporary.Path).Select(Path.GetFileName).OfType<string>()];

    /// <summary>Living processes with its temporary directory in their environment, by number and command line.</summary>
    public IReadOnlyList<string> LeftProcesses() =>
        [.. from directory in Directory.EnumerateDirectories("/proc")
            where int.TryParse(Path.GetFileName(directory), out var id) && id != Id
            where Read($"{directory}/environ").Split('\0').Contains($"TMPDIR={_temporary.Path}")
            select $"{Path.GetFileName(directory)} {Read($"{directory}/cmdline").Replace('\0', ' ')}"];

    /// <summary>Returns once a line has this text.</summary>
    public Task SeenAsync(string text)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_output.ToString().Contains(text, StringComparison.Ordinal)) return Task.CompletedTask;
            _waiting.Add((text, seen));
        }

        return WaitAsync();

        async Task WaitAsync()
        {
            try
            {
                await seen.Task.WaitAsync(Patience);
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"'{text}' was not seen within {Patience}:\n{Output}", e);
            }
        }
    }

    public void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));

    /// <summary>Returns the exit code, once all output is read.</summary>
    public async Task<int> EndAsync()
    {
        try
        {
            await Task.WhenAll(_process.WaitForExitAsync(), _reading).WaitAsync(Patience);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"It still runs after {Patience}:\n{Output}", e);
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
        Work.Dispose();
        _temporary.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lock)
            {
                _output.Append(line).Append('\n');
                foreach (var (text, seen) in _waiting)
                {
                    if (line.Contains(text, StringComparison.Ordinal)) seen.TrySetResult();
                }
            }
        }

        lock (_lock)
        {
            foreach (var (text, seen) in _waiting) seen.TrySetException(new InvalidOperationException($"ended without '{text}':\n{_output}"));
        }
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
