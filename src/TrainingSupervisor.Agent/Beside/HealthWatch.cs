using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>
/// Runs the user's health command as long as the worker does, and says when it has failed often enough in a row, and when it is well again.
/// Used on the agent's loop only; <paramref name="post"/> leads back to it.
/// </summary>
internal sealed class HealthWatch(
    TimeProvider time, Func<IReadOnlyList<string>, TimeSpan, CancellationToken, Task<SideResult>> run, Func<bool> workerEnded, Action<string> found, Action<Action> post)
    : IDisposable
{
    private HealthCheck? _check;
    private CancellationTokenSource? _stop;

    public void Dispose() => Stop();

    /// <summary>Takes what a welcome says; another check begins anew.</summary>
    internal void Set(HealthCheck? check, bool workerRuns)
    {
        if (Equals(check, _check))
            return;
        _check = check is { Command.Count: > 0, IntervalMs: > 0, TimeoutMs: > 0, Failures: > 0 } ? check : null;
        if (!workerRuns)
            return;
        found("");
        Start();
    }

    internal void Start()
    {
        Stop();
        if (_check is not { } check)
            return;
        _stop = new CancellationTokenSource();
        _ = LoopAsync(check, _stop.Token);
    }

    internal void Stop()
    {
        _stop?.Cancel();
        _stop?.Dispose();
        _stop = null;
    }

    private async Task LoopAsync(HealthCheck check, CancellationToken stop)
    {
        try
        {
            for (var failed = 0; ;)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(check.IntervalMs), time, stop).ConfigureAwait(false);
                var result = await run(check.Command, TimeSpan.FromMilliseconds(check.TimeoutMs), stop).ConfigureAwait(false);
                // Ended together with the worker's tree, it says nothing of the worker.
                if (stop.IsCancellationRequested || workerEnded())
                    return;
                var well = result is { Code: 0, TimedOut: false };
                failed = well ? 0 : failed + 1;
                if (well || failed == check.Failures)
                {
                    var words = well ? "" : Describe(check, result);
                    post(() =>
                    {
                        if (!stop.IsCancellationRequested)
                            found(words);
                    });
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            // The edge of the loop. Without its check a worker trains on.
            Log.Write($"the health command is given up: {e}");
        }
    }

    internal static string Describe(HealthCheck check, SideResult result)
    {
        var how = result.TimedOut ? $"no end within {check.TimeoutMs / 1000.0:0.###} s" : result.Code < 0 ? "it could not be started" : $"exit code {result.Code}";
        var line = result.Output.Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
        var command = Text.Short(string.Join(' ', check.Command), 256);
        return $"'{command}' has failed {check.Failures} times in a row, last with {how}{(line is null ? "" : $": {Text.Short(line, 512)}")}";
    }
}
