using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Scheduling;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>What ends a Pod from outside its containers: its deadline, a full emptyDir, a kubelet without the gate.</summary>
internal sealed partial class PodWorker
{
    private bool MustEnd => !_status.PhaseEnded && (_deadlineOver || _evicted is not null || _unsupported);

    private void StartLimits()
    {
        if (_pod.At("spec").Number("activeDeadlineSeconds") is { } seconds)
        {
            Track(AfterAsync(TimeSpan.FromSeconds(seconds), () => _deadlineOver = true));
        }

        if (LimitedVolumes().Any())
        {
            Track(WatchVolumesAsync());
        }
    }

    /// <summary>As recorded, each of the three shows other states on the way.</summary>
    private async Task EndFromOutsideAsync()
    {
        var (reason, message) = _deadlineOver ? ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            : _unsupported ? ("PodFeatureUnsupported", $"Pod was rejected: Pod requires node features that are not available: {RestartRules.Feature}")
            : ("Evicted", _evicted!);
        if (_deadlineOver)
        {
            _status.End = "Failed";
            WriteStatus();
        }
        else if (_unsupported)
        {
            _status.FeatureOff = true;
            _kubelet.TryUpdate(_pod, PodStatus.Forget);
        }

        await StopAllAsync().ConfigureAwait(false);
        _restartAll = null;
        _status.RestartingAll = false;
        _status.SandboxReady = false;
        _status.End = _evicted is not null && _main.All(s => s.ExitCode == 0) ? "Succeeded" : "Failed";
        if (_unsupported)
        {
            WriteStatus();
        }

        if (_status.End == "Failed")
        {
            (_status.Reason, _status.Message) = (reason, message);
        }

        _status.PhaseEnded = true;
        WriteStatus();
    }

    private IEnumerable<(string Name, decimal Limit)> LimitedVolumes() =>
        (_pod.At("spec").Items("volumes")?.OfType<JsonObject>() ?? [])
            .Where(v => v.At("emptyDir")?["sizeLimit"] is not null)
            .Select(v => (v.Text("name")!, Quantity.Parse(v.At("emptyDir")!["sizeLimit"])));

    private async Task WatchVolumesAsync()
    {
        using var timer = new PeriodicTimer(_context.Options.EvictionInterval, _context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_abort.Token).ConfigureAwait(false))
            {
                foreach (var (name, limit) in LimitedVolumes())
                {
                    if (_volumes.SizeOf(name) > limit)
                    {
                        Post(() => _evicted ??= $"Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". ");
                        return;
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task AfterAsync(TimeSpan delay, Action message)
    {
        try
        {
            await Task.Delay(delay, _context.Time, _abort.Token).ConfigureAwait(false);
            Post(message);
        }
        catch (OperationCanceledException)
        {
        }
    }
}
