using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>How a Pod starts, restarts and ends.</summary>
internal sealed partial class PodWorker
{
    private async Task ReconcileAsync()
    {
        if (_pod.At("metadata").Text("deletionTimestamp") is not null && _restartAll is null)
        {
            await TerminateAsync().ConfigureAwait(false);
            return;
        }

        if (_status.PhaseEnded)
        {
            WriteStatus();
            return;
        }

        if (MustEnd)
        {
            await EndFromOutsideAsync().ConfigureAwait(false);
            return;
        }

        if (_restartAll is not null)
        {
            await RestartAllAsync().ConfigureAwait(false);
            Post(static () => { });
            return;
        }

        if (!_mounted)
        {
            Mount();
        }

        if (All.Any(s => s.NeedsStart && s.Terminated is not null && s.NotBefore == default && !s.KilledByProbe))
        {
            // A watcher sees the exit before the restart, but not where the kubelet itself ended the container.
            WriteStatus();
        }

        if (_mounted)
        {
            await StartWhatMayStartAsync().ConfigureAwait(false);
        }

        if (OutcomeOrNull() is not { } outcome)
        {
            WriteStatus();
        }
        else
        {
            await EndAsync(outcome).ConfigureAwait(false);
        }
    }

    private void Mount()
    {
        try
        {
            _volumes.Refresh(_pod, _address, Kubelet.HostAddress);
            _mounted = true;
        }
        catch (MissingReferenceException)
        {
            // As with a real kubelet the containers stay in ContainerCreating until the object is there.
            return;
        }

        if (!_status.SandboxReady)
        {
            Directory.CreateDirectory(Path.Combine(_directory, "logs"));
            _status.SandboxReady = true;
            WriteStatus();
            _status.Address = _address;
        }
    }

    private async Task StartWhatMayStartAsync()
    {
        foreach (var slot in _init)
        {
            if (_status.Initialized && !_restarting && slot.IsPlainInit)
            {
                continue;
            }

            if (slot.NeedsStart && !slot.IsRunning)
            {
                await TryStartAsync(slot).ConfigureAwait(false);
            }

            var through = slot.IsSidecar ? slot.Started : slot.Completed;
            if (!through && (!_status.Initialized || _restarting))
            {
                return;
            }
        }

        _status.Initialized = true;
        _restarting = false;
        foreach (var slot in _main.Where(s => s.NeedsStart && !s.IsRunning).ToArray())
        {
            await TryStartAsync(slot).ConfigureAwait(false);
        }
    }

    private string? OutcomeOrNull()
    {
        if (_init.Any(s => s.IsPlainInit && !s.NeedsStart && s.ExitCode is { } code && code != 0))
        {
            return "Failed";
        }

        if (_restartAll is not null || _main.Any(s => s.NeedsStart || s.IsRunning || s.Terminated is null))
        {
            return null;
        }

        return _main.All(s => s.ExitCode == 0) ? "Succeeded" : "Failed";
    }

    private async Task EndAsync(string outcome)
    {
        var sidecars = All.Any(s => s.IsRunning);
        if (sidecars)
        {
            WriteStatus();
        }

        await StopAllAsync().ConfigureAwait(false);
        _status.End = outcome;
        _status.SandboxReady = !sidecars;
        WriteStatus();
        await NoticeAsync().ConfigureAwait(false);
        _status.PhaseEnded = true;
        _status.SandboxReady = false;
        WriteStatus();
    }

    private async Task RestartAllAsync()
    {
        _status.RestartingAll = true;
        var backingOff = All.Where(s => s.NeedsStart && s.Terminated is not null && s.NotBefore != default).ToArray();
        foreach (var slot in backingOff)
        {
            // As recorded: it skips this wait, and is otherwise left alone.
            ShowBackOff(slot);
            slot.NotBefore = default;
            slot.RestartsInARow--;
            slot.BackOff /= 2;
        }

        WriteStatus();
        foreach (var slot in _main.Concat(Enumerable.Reverse(_init)).Where(s => s.IsRunning).ToArray())
        {
            // One after the other: measured, and the reason why peers that ignore SIGTERM are slow to restart.
            await _kubelet.RunningAsync(_abort.Token).ConfigureAwait(false);
            if (slot.IsRunning)
            {
                await StopAsync(slot, _context.Options.RestartAllContainersGrace).ConfigureAwait(false);
            }
        }

        await _kubelet.RunningAsync(_abort.Token).ConfigureAwait(false);
        foreach (var slot in All.Where(s => s.HasRun).Except(backingOff))
        {
            slot.Ready = slot.IsPlainInit && slot.ExitCode == 0;
            slot.RestartCount++;
            slot.LastState = ContainerSlot.Lost("RestartingAllContainers", "The container is removed because RestartAllContainers in place");
            slot.State = ContainerSlot.Waiting("RestartingAllContainers");
            slot.ContainerId = null;
            slot.Started = false;
            slot.NotBefore = default;
            slot.NeedsStart = true;
            slot.HasRun = false;
        }

        _restartAll = null;
        _restarting = true;
        _status.RestartingAll = false;
        WriteStatus();
        if (_init.Count > 0)
        {
            foreach (var slot in All.Where(s => s.NeedsStart))
            {
                slot.State = ContainerSlot.Waiting("PodInitializing");
            }
        }
    }

    private async Task TerminateAsync()
    {
        if (!_status.PhaseEnded)
        {
            await StopAllAsync().ConfigureAwait(false);
            foreach (var slot in All)
            {
                slot.NeedsStart = false;
            }

            var lost = _main.Where(s => s.Terminated is null).ToArray();
            _status.End = lost.Length == 0 && _main.All(s => s.ExitCode == 0) ? "Succeeded" : "Failed";
            _status.PhaseEnded = true;
            _status.SandboxReady = false;
            foreach (var slot in lost)
            {
                slot.State = ContainerSlot.Waiting("ContainerCreating");
            }

            WriteStatus();
            foreach (var slot in lost)
            {
                slot.State = ContainerSlot.Lost("ContainerStatusUnknown", "The container could not be located when the pod was terminated");
            }

            WriteStatus();
        }

        await _kubelet.ConnectedAsync(_abort.Token).ConfigureAwait(false);
        WriteStatus();
        _done = true;
        _context.Store.Remove(ResourceType.Pods, Namespace, _pod.Name(), Uid);
    }

    /// <summary>SIGTERM to all main containers at once, then to the sidecars in reverse order, all within the grace period.</summary>
    private async Task StopAllAsync()
    {
        var deleting = _pod.At("metadata").Text("deletionTimestamp") is not null;
        if (!deleting && All.Any(s => s.IsRunning))
        {
            _graceOver.CancelAfter(TimeSpan.FromSeconds(_pod.At("spec").Number("terminationGracePeriodSeconds") ?? 30));
        }

        await Task.WhenAll(_main.Concat(_init.Where(s => s.IsPlainInit)).Where(s => s.IsRunning).Select(s => StopAsync(s, null))).ConfigureAwait(false);
        foreach (var slot in Enumerable.Reverse(_init).Where(s => s.IsRunning))
        {
            await StopAsync(slot, null).ConfigureAwait(false);
        }
    }

    /// <summary>Stops a container and records its exit; a grace of null is what is left of the Pod's.</summary>
    private async Task StopAsync(ContainerSlot slot, TimeSpan? grace)
    {
        var container = slot.Current!;
        if (grace is { } given)
        {
            // RestartAllContainers runs no hooks.
            container.Signal(Libc.SigTerm);
            using var limit = new CancellationTokenSource(given, _context.Time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _abort.Token);
            try
            {
                await container.Exited.WaitAsync(either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                container.Kill();
            }
        }
        else
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token, _graceOver.Token);
            await TerminateAsync(slot, container, over.Token).ConfigureAwait(false);
        }

        Ended(slot, await container.Exited.ConfigureAwait(false));
        _abort.Token.ThrowIfCancellationRequested();
    }

    /// <summary>A kubelet that is back after its node died finds none of its containers.</summary>
    private void Resume(JsonObject? status)
    {
        var phase = status.Text("phase");
        foreach (var slot in All)
        {
            var old = (status.Items("containerStatuses") ?? []).Concat(status.Items("initContainerStatuses") ?? [])
                .OfType<JsonObject>().FirstOrDefault(s => s.Text("name") == slot.Name);
            if (old is null)
            {
                continue;
            }

            slot.RestartCount = (int)(old.Number("restartCount") ?? 0);
            slot.ContainerId = old.Text("containerID");
            if (old.At("state").At("running") is not null)
            {
                slot.HasRun = true;
                slot.State = ContainerSlot.Lost("ContainerStatusUnknown", "The container could not be located when the pod was terminated");
                slot.NeedsStart = slot.IsPlainInit || RestartRules.Decide(_pod, slot, 137) != RestartDecision.Stay;
            }
            else if (old.At("state").At("terminated") is { } ended)
            {
                slot.HasRun = true;
                slot.State = new() { ["terminated"] = ended.DeepClone() };
                slot.NeedsStart = RestartRules.Decide(_pod, slot, (int)(ended.Number("exitCode") ?? 137)) != RestartDecision.Stay;
            }
        }

        if (phase is "Succeeded" or "Failed")
        {
            _status.End = phase;
            _status.PhaseEnded = true;
            _status.Initialized = true;
        }
    }
}
