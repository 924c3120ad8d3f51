namespace TrainingSupervisor.Agent.Link;

/// <summary>
/// Knows when this Pod is cut off: for the whole fence period neither was a heartbeat acknowledged nor did the API server answer.
/// Contact counts from when the question was sent, since the answer may have been long under way.
/// </summary>
internal sealed class Fence(TimeProvider time, Func<CancellationToken, Task<bool>> probe, Action<string> onCutOff)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _armed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan _period;
    private TimeSpan _heartbeat;
    private long _contact;

    /// <summary>Sets the period, as each welcome says it; zero means no fencing.</summary>
    internal void Arm(TimeSpan period, TimeSpan heartbeat)
    {
        lock (_gate)
        {
            if (_period == TimeSpan.Zero)
                _contact = time.GetTimestamp();
            (_period, _heartbeat) = (period, heartbeat);
            if (period > TimeSpan.Zero)
                _armed.TrySetResult();
            else if (_armed.Task.IsCompleted)
                _armed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Something that was sent at this timestamp has been answered.</summary>
    internal void Reached(long sentTimestamp)
    {
        lock (_gate)
            _contact = Math.Max(_contact, sentTimestamp);
    }

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task armed;
            TimeSpan period, heartbeat, silent;
            lock (_gate)
            {
                (armed, period, heartbeat) = (_armed.Task, _period, _heartbeat);
                silent = time.GetElapsedTime(_contact);
            }

            if (period == TimeSpan.Zero)
            {
                await armed.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            var slice = period / 6;
            if (silent >= period)
            {
                onCutOff($"no supervisor and no API server for {silent.TotalSeconds:0.#} s (fence {period.TotalSeconds:0.#} s)");
                await Task.Delay(slice, time, cancellationToken).ConfigureAwait(false);
                continue;
            }

            var left = period - silent;
            var began = time.GetTimestamp();
            // With acks coming in as they should there is nothing to ask.
            if (silent > TimeSpan.FromTicks(Math.Max(slice.Ticks, 2 * heartbeat.Ticks)) && await ProbeAsync(Min(slice, left), cancellationToken).ConfigureAwait(false))
                Reached(began);
            var rest = Min(slice, left) - time.GetElapsedTime(began);
            if (rest > TimeSpan.Zero)
                await Task.Delay(rest, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> ProbeAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await probe(both.Token).WaitAsync(both.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it is, it is no answer; and a fence that fell over would guard nothing.
            if (e is not OperationCanceledException)
                Log.WriteOnce("liveness", $"the API server's liveness address cannot be asked: {e.Message}");
            return false;
        }
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
