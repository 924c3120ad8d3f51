using System.Diagnostics;
using System.Text;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A supervisor that is a process of its own and can be killed like one.</summary>
internal sealed class OutsideSupervisor : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly StringBuilder _log = new();
    private readonly Lock _lock = new();
    private SupervisorLine? _last;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    private OutsideSupervisor(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, Take), ReadAsync(process.StandardError, Note));
    }

    public string Log
    {
        get
        {
            lock (_lock) return _log.ToString();
        }
    }

    public static OutsideSupervisor Start(GangRequest request)
    {
        var start = new ProcessStartInfo(EmbeddedTestCluster.Metadata("Supervisor"), [request.ToJson()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        return new OutsideSupervisor(Process.Start(start)!);
    }

    /// <summary>Waits until it says this of its gang.</summary>
    public async Task<SupervisorLine> ExpectAsync(Func<SupervisorLine, bool> where, TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_last is { } line && where(line)) return line;
                if (_ended) throw new InvalidOperationException($"The supervisor ended; it said last: {_last}\n{_log}");
                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"The supervisor did not say what was expected within {patience}; it said last: {_last}\n{Log}");
            }
        }
    }

    /// <summary>SIGKILL: no goodbye to anyone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _reading;
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        await _reading;
        _process.Dispose();
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> line)
    {
        while (await reader.ReadLineAsync() is { } text) line(text);
    }

    private void Note(string text)
    {
        lock (_lock) _log.AppendLine(text);
    }

    private void Take(string text)
    {
        var line = SupervisorLine.Parse(text);
        lock (_lock)
        {
            _last = line;
            _ended = line.Error is not null;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
