using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LocalTraining.Running;

/// <summary>A supervisor: a process of its own that can be killed like one, or the same code in this process.</summary>
internal sealed class SupervisorProcess : IAsyncDisposable
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(10);
    private readonly CancellationTokenSource _stopping = new();
    private Process? _process;
    private Task _running = Task.CompletedTask;
    private volatile bool _endExpected;
    private bool _disposed;

    public static SupervisorProcess StartOutside(SuperviseRequest request, string errorFile, Action<SupervisorLine> say)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(SupervisorProcess).Assembly.Location);
        start.ArgumentList.Add("supervise");
        start.ArgumentList.Add(request.ToJson());
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        var supervisor = new SupervisorProcess { _process = Process.Start(start)! };
        supervisor._running = supervisor.ReadAsync(errorFile, say);
        return supervisor;
    }

    public static SupervisorProcess StartInside(SuperviseRequest request, Action<SupervisorLine> say)
    {
        var supervisor = new SupervisorProcess();
        supervisor._running = Task.Run(async () =>
        {
            try
            {
                await SupervisorHost.RunAsync(request, say, supervisor._stopping.Token);
            }
            catch (OperationCanceledException)
            {
                // Stopped by the sample.
            }
        });
        return supervisor;
    }

    /// <summary>The other end of <see cref="StartOutside"/>.</summary>
    public static async Task<int> RunAsync(string json)
    {
        using var stopping = new CancellationTokenSource();
        // A terminal sends Ctrl-C to this process too; it ends when its standard input does, and that ends with the sample, however it ends.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => c.Cancel = true);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, c => c.Cancel = true);
        _ = Task.Run(async () =>
        {
            while (await Console.In.ReadLineAsync() is not null)
            {
            }

            await stopping.CancelAsync();
        });
        var output = new Lock();
        try
        {
            var succeeded = await SupervisorHost.RunAsync(
                SuperviseRequest.FromJson(json),
                line =>
                {
                    lock (output) Console.Out.WriteLine(JsonSerializer.Serialize(line));
                },
                stopping.Token);
            return succeeded ? 0 : 1;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Stopped by the sample, or the sample is gone and nobody reads.
            return 1;
        }
    }

    /// <summary>SIGKILL: no goodbye to anyone.</summary>
    public async Task KillAsync()
    {
        _endExpected = true;
        _process!.Kill();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        _endExpected = true;
        await _stopping.CancelAsync();
        if (_process is not null)
        {
            _process.StandardInput.Close();
            using var patience = new CancellationTokenSource(StopLimit);
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }

        await _running;
        _process?.Dispose();
        _stopping.Dispose();
    }

    private async Task ReadAsync(string errorFile, Action<SupervisorLine> say)
    {
        var errors = _process!.StandardError.ReadToEndAsync();
        var concluded = false;
        while (await _process.StandardOutput.ReadLineAsync() is { } text)
        {
            // A line that a kill has cut off is the last one.
            if (!text.EndsWith('}')) continue;
            var line = JsonSerializer.Deserialize<SupervisorLine>(text)!;
            concluded |= line.Result is not null || line.Error is not null;
            say(line);
        }

        await _process.WaitForExitAsync();
        await File.AppendAllTextAsync(errorFile, await errors);
        if (!_endExpected && !concluded)
        {
            say(new SupervisorLine { Error = $"the supervisor's process ended with exit code {_process.ExitCode} and no result; its last words are in {errorFile} (--keep)" });
        }
    }
}
