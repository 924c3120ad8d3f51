using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>
/// Runs containers as plain processes of this machine, without isolation. Needs a Unix with <c>/bin/sh</c>; only on Linux
/// are processes found again that left their parent. Output goes straight to the log file: no thread waits for it.
/// </summary>
internal sealed class ProcessRuntime : IContainerRuntime
{
    private const string Script = "exec \"$@\" </dev/null >>\"$0\" 2>&1";

    // A container has an image's environment; these few let programs of the machine run as they do outside.
    private static readonly string[] s_inherited =
        ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DOTNET_ROOT", "DOTNET_ROOT_X64", "PYTHONPATH", "VIRTUAL_ENV"];

    private static readonly string? s_setsid = new[] { "/usr/bin/setsid", "/bin/setsid" }.FirstOrDefault(File.Exists);

    private readonly ConcurrentDictionary<ProcessContainer, bool> _containers = [];
    private readonly string _dataDirectory;
    private readonly Lazy<Process?> _watchdog;

    public ProcessRuntime(string dataDirectory)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Containers run as processes on Unix only; use simulated containers on this system.");
        }

        _dataDirectory = dataDirectory;
        _watchdog = new(() => Watchdog.Start(dataDirectory));
    }

    public IContainer Start(ContainerLaunch launch)
    {
        _ = _watchdog.Value;
        var container = new ProcessContainer(StartProcess(launch), launch.Id);
        _containers[container] = true;
        _ = container.Exited.ContinueWith(
            (_, state) => _containers.TryRemove((ProcessContainer)state!, out var _),
            container, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return container;
    }

    public async Task<int?> ExecuteAsync(ContainerLaunch launch, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var process = StartProcess(launch);
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(timeout);
        try
        {
            await process.WaitForExitAsync(timer.Token).ConfigureAwait(false);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var container in _containers.Keys)
        {
            container.Signal(Libc.SigKill);
        }

        await ProcessTree.KillAsync(ProcessTree.ClusterVariable, _dataDirectory).ConfigureAwait(false);
        await Task.WhenAll(_containers.Keys.Select(c => c.Exited)).ConfigureAwait(false);
        if (_watchdog is { IsValueCreated: true, Value: { } watchdog })
        {
            watchdog.Kill();
            await watchdog.WaitForExitAsync().ConfigureAwait(false);
            watchdog.Dispose();
        }
    }

    private Process StartProcess(ContainerLaunch launch)
    {
        var start = new ProcessStartInfo
        {
            FileName = s_setsid ?? "/bin/sh",
            WorkingDirectory = launch.WorkingDirectory ?? "",
        };
        if (s_setsid is not null)
        {
            start.ArgumentList.Add("/bin/sh");
        }

        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        start.ArgumentList.Add(launch.LogFile);
        foreach (var argument in launch.Command)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var name in s_inherited)
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                start.Environment[name] = value;
            }
        }

        foreach (var (name, value) in launch.Environment)
        {
            start.Environment[name] = value;
        }

        start.Environment[ProcessTree.ContainerVariable] = launch.Id;
        start.Environment[ProcessTree.ClusterVariable] = _dataDirectory;
        try
        {
            return Process.Start(start)!;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new ContainerStartException(e.Message, e);
        }
    }
}
