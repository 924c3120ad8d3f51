using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>How one container starts, and what its end leads to.</summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan s_maxPullBackOff = TimeSpan.FromMinutes(5);
    private readonly List<Task> _tasks = [];
    private bool _restarting;

    private async Task TryStartAsync(ContainerSlot slot)
    {
        var now = _context.Time.GetUtcNow();
        if (slot.NotBefore > now)
        {
            return;
        }

        if (slot.Terminated is not null && slot.NotBefore != default)
        {
            // As recorded, the reason shows when the wait is over.
            ShowBackOff(slot);
            WriteStatus();
        }

        slot.NotBefore = default;
        if (MissingImage(slot) is { } image)
        {
            WaitForImage(slot, image, now);
            return;
        }

        try
        {
            await StartAsync(slot, Prepare(slot)).ConfigureAwait(false);
        }
        catch (MissingReferenceException e)
        {
            slot.State = ContainerSlot.Waiting("CreateContainerConfigError", e.Message);
        }
        catch (NotSupportedException e)
        {
            slot.State = ContainerSlot.Waiting("CreateContainerConfigError", e.Message);
        }
        catch (ContainerStartException e)
        {
            Begin(slot, null);
            Ended(slot, 128, "StartError", e.Message);
            Decide(slot, 128);
        }
    }

    private void ShowBackOff(ContainerSlot slot)
    {
        slot.LastState = slot.State;
        slot.State = ContainerSlot.Waiting("CrashLoopBackOff",
            $"back-off {slot.BackOff.TotalSeconds:0}s restarting failed container={slot.Name} pod={_pod.Name()}_{Namespace}({Uid})");
    }

    private string? MissingImage(ContainerSlot slot) =>
        !_context.Images.CanPull(slot.Image) ? slot.Image : _volumes.MissingImage(_pod);

    private void WaitForImage(ContainerSlot slot, string image, DateTimeOffset now)
    {
        if (slot.Spec.Text("imagePullPolicy") == "Never")
        {
            slot.State = ContainerSlot.Waiting("ErrImageNeverPull", $"Container image \"{image}\" is not present with pull policy of Never");
            return;
        }

        slot.PullBackOff = slot.PullBackOff == default
            ? _context.Options.ImagePullBackOff
            : TimeSpan.FromTicks(Math.Min(s_maxPullBackOff.Ticks, slot.PullBackOff.Ticks * 2));
        var error = ImageStore.PullError(image);
        slot.State = ContainerSlot.Waiting("ErrImagePull", error);
        WriteStatus();
        slot.State = ContainerSlot.Waiting("ImagePullBackOff", $"Back-off pulling image \"{image}\": ErrImagePull: {error}");
        slot.NotBefore = now + slot.PullBackOff;
        WakeAt(slot, slot.PullBackOff);
    }

    private ContainerLaunch Prepare(ContainerSlot slot)
    {
        var mounts = _volumes.Mounts(_pod, slot.Spec);
        var environment = new PodEnvironment(_context.Store, _pod, _address, Kubelet.HostAddress).Build(slot.Spec, ServiceVariables());
        foreach (var name in environment.Keys.ToArray())
        {
            environment[name] = mounts.Replace(environment[name]);
        }

        var words = (slot.Spec.Items("command") ?? []).Concat(slot.Spec.Items("args") ?? [])
            .Select(w => mounts.Replace(PodEnvironment.Expand(w!.GetValue<string>(), environment))).ToList();
        var directory = slot.Spec.Text("workingDir") is { Length: > 0 } wanted ? mounts.Replace(wanted) : null;
        var launch = new ContainerLaunch(Guid.NewGuid().ToString("N"), words, environment, directory, LogFile(slot.Name)) { Rewrite = mounts.Replace };
        if (_context.Options.SimulateContainers)
        {
            return launch;
        }

        if (words.Count == 0)
        {
            throw new ContainerStartException($"failed to create containerd task: no command specified for image \"{slot.Image}\"");
        }

        var path = _context.Images.FindCommand(slot.Image, words[0], directory,
            environment.GetValueOrDefault("PATH") ?? Environment.GetEnvironmentVariable("PATH"));
        const string Failed = "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
            + "runc create failed: unable to start container process: error during container init: exec: ";
        if (path is null)
        {
            throw new ContainerStartException(Failed + (words[0].Contains('/')
                ? $"\"{words[0]}\": stat {words[0]}: no such file or directory"
                : $"\"{words[0]}\": executable file not found in $PATH"));
        }

        if (!OperatingSystem.IsWindows()
            && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == 0)
        {
            throw new ContainerStartException($"{Failed}\"{words[0]}\": permission denied");
        }

        words[0] = path;
        return launch;
    }

    private Dictionary<string, string> ServiceVariables() => _context.ApiServer() is { } api
        ? new()
        {
            ["KUBERNETES_SERVICE_HOST"] = api.Host,
            ["KUBERNETES_SERVICE_PORT"] = $"{api.Port}",
            ["KUBERNETES_SERVICE_PORT_HTTPS"] = $"{api.Port}",
        }
        : [];

    private async Task StartAsync(ContainerSlot slot, ContainerLaunch launch)
    {
        TrimLog(launch.LogFile);
        var container = _context.Runtime.Start(launch);
        Begin(slot, container);
        slot.Launch = launch;
        slot.ContainerId = $"containerd://{launch.Id}{launch.Id}";
        if (_abort.IsCancellationRequested)
        {
            container.Kill();
        }

        await PostStartAsync(slot, container).ConfigureAwait(false);
        slot.State = new() { ["running"] = new JsonObject { ["startedAt"] = Json.Time(slot.StartedAt) } };
        var (run, end) = (slot.Run, slot.RunEnd!.Token);
        Track(WatchExitAsync(slot, container, run));
        slot.Started = !Prober.Has(slot.Spec, "startupProbe");
        slot.Ready = !slot.IsPlainInit && slot.Started && !Prober.Has(slot.Spec, "readinessProbe");
        if (!slot.IsPlainInit)
        {
            Track(_prober.RunAsync(slot.Spec, launch, (kind, healthy) => Post(() => Probed(slot, run, kind, healthy)), end));
        }
        else
        {
            slot.Started = true;
        }
    }

    /// <summary>A container that restarts for ever must not fill the disk; what a single run writes is not limited.</summary>
    private static void TrimLog(string file)
    {
        if (new FileInfo(file) is { Exists: true, Length: > 10 * 1024 * 1024 })
        {
            File.WriteAllText(file, "");
        }
    }

    private void Begin(ContainerSlot slot, IContainer? container)
    {
        if (slot.HasRun)
        {
            slot.RestartCount++;
            slot.LastState = slot.Terminated is null ? slot.LastState : slot.State;
        }

        slot.HasRun = true;
        slot.NeedsStart = false;
        slot.Run++;
        slot.StartedAt = _context.Time.GetUtcNow();
        slot.RunEnd = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token);
        slot.KillReason = null;
        slot.KilledByProbe = false;
        slot.Current = container;
    }

    private async Task WatchExitAsync(ContainerSlot slot, IContainer container, int run)
    {
        var code = await container.Exited.ConfigureAwait(false);
        try
        {
            await NoticeAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        Post(() =>
        {
            if (slot.Run == run && slot.IsRunning)
            {
                Ended(slot, code);
                Decide(slot, code);
            }
        });
    }

    private void Ended(ContainerSlot slot, int code, string? reason = null, string? message = null)
    {
        var now = _context.Time.GetUtcNow();
        var terminated = new JsonObject
        {
            ["exitCode"] = code,
            ["reason"] = reason ?? slot.KillReason ?? (code == 0 ? "Completed" : "Error"),
            ["startedAt"] = Json.Time(reason is null ? slot.StartedAt : DateTimeOffset.UnixEpoch),
            ["finishedAt"] = Json.Time(now),
        };
        if (message is not null)
        {
            terminated["message"] = message;
        }

        slot.ContainerId ??= $"containerd://{Guid.NewGuid():N}{Guid.NewGuid():N}";
        terminated["containerID"] = slot.ContainerId;
        EndRun(slot);
        slot.State = new() { ["terminated"] = terminated };
    }

    private static void EndRun(ContainerSlot slot)
    {
        slot.RunEnd?.Cancel();
        slot.RunEnd?.Dispose();
        slot.RunEnd = null;
        slot.Current = null;
        slot.Ready = false;
        slot.Started = false;
    }

    private void Decide(ContainerSlot slot, int code)
    {
        switch (RestartRules.Decide(_pod, slot, code))
        {
            case RestartDecision.RestartAll:
                _restartAll ??= slot;
                break;
            case RestartDecision.Restart:
                slot.NeedsStart = true;
                BackOff(slot);
                break;
        }
    }

    /// <summary>The first restart is free; from then on the wait doubles, until the container has run for ten minutes.</summary>
    private void BackOff(ContainerSlot slot)
    {
        var now = _context.Time.GetUtcNow();
        if (slot.IsPlainInit is false && now - slot.StartedAt > 2 * _context.Options.MaxCrashLoopBackOff)
        {
            slot.RestartsInARow = 0;
        }

        slot.RestartsInARow++;
        if (slot.RestartsInARow == 1)
        {
            slot.NotBefore = default;
            return;
        }

        var first = _context.Options.CrashLoopBackOff;
        slot.BackOff = slot.RestartsInARow == 2
            ? first
            : TimeSpan.FromTicks(Math.Min(_context.Options.MaxCrashLoopBackOff.Ticks, slot.BackOff.Ticks * 2));
        slot.NotBefore = now + slot.BackOff;
        WakeAt(slot, slot.BackOff);
    }

    private void Probed(ContainerSlot slot, int run, string kind, bool healthy)
    {
        if (slot.Run != run || slot.Current is not { } container)
        {
            return;
        }

        switch (kind)
        {
            case "startupProbe" when healthy:
                slot.Started = true;
                slot.Ready = !Prober.Has(slot.Spec, "readinessProbe");
                break;
            case "readinessProbe":
                slot.Ready = healthy;
                break;
            case "startupProbe" or "livenessProbe" when !healthy:
                slot.KilledByProbe = true;
                Track(KillUnhealthyAsync(slot, container, kind));
                break;
        }
    }

    /// <summary>A real kubelet looks at its containers at fixed ticks.</summary>
    private Task NoticeAsync()
    {
        var period = _context.Options.NoticeDelay;
        if (period <= TimeSpan.Zero)
        {
            return Task.CompletedTask;
        }

        var since = _context.Time.GetUtcNow() - _kubelet.Epoch;
        return Task.Delay(TimeSpan.FromTicks(period.Ticks - since.Ticks % period.Ticks), _context.Time, _abort.Token);
    }

    private void WakeAt(ContainerSlot slot, TimeSpan delay) => Track(WakeAsync(slot, slot.NotBefore, delay));

    private async Task WakeAsync(ContainerSlot slot, DateTimeOffset due, TimeSpan delay)
    {
        try
        {
            await Task.Delay(delay, _context.Time, _abort.Token).ConfigureAwait(false);

            // A timer may fire a little before the clock says so: the wait is over when the timer says it.
            Post(() => slot.NotBefore = slot.NotBefore == due ? DateTimeOffset.UnixEpoch : slot.NotBefore);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Track(Task task)
    {
        _tasks.RemoveAll(t => t.IsCompletedSuccessfully);
        _tasks.Add(task);
    }
}
