using System.Diagnostics;
using System.Text.Json;

namespace LocalTraining.Running;

/// <summary>A supervisor: a process of its own that can be killed like one, or the same code in this process.</summary>
internal sealed class SupervisorProcess : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Process? _process;
    private Task _running = Task.CompletedTask;

    public static SupervisorProcess StartOutside(SuperviseRequest request, Action<SupervisorLine> say)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(SupervisorProcess).Assembly.Location);
        start.ArgumentList.Add("supervise");
        start.ArgumentList.Add(request.ToJson());
        var supervisor = new SupervisorProcess { _process = Process.Start(start)! };
        supervisor._running = supervisor.ReadAsync(say);
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
        // Standard input ends when the sample does, however it ends.
        var parent = Task.Run(async () =>
        {
            while (await Console.In.ReadLineAsync() is not null)
            {
            }

            await stopping.CancelAsync();
        });
        Console.CancelKeyPress += (_, e) => e.Cancel = true;
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
        catch (OperationCanceledException)
        {
            return 130;
        }
    }

    /// <summary>SIGKILL: no goodbye to anyone.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_process is not null)
        {
            _process.StandardInput.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
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

    private async Task ReadAsync(Action<SupervisorLine> say)
    {
        while (await _process!.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith('{')) say(JsonSerializer.Deserialize<SupervisorLine>(line)!);
        }

        await _process.WaitForExitAsync();
    }
}
