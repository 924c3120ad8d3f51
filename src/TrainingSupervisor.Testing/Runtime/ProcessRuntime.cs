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
    // A container has an image's environment; these few let programs of the machine run as they do outside.
    private static readonly string[] s_inherited =
        ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DOTNET_ROOT", "DOTNET_ROOT_X64", "PYTHONPATH", "VIRTUAL_ENV"];

    private readonly ConcurrentDictionary<ProcessContainer, bool> _containers = [];
    private readonly ProcessSweeper _sweeper = new();
    private readonly string _dataDirectory;
    private readonly bool _ignoreUnhandledSignals;
    private readonly Lazy<Process?> _watchdog;

    public ProcessRuntime(string dataDirectory, bool ignoreUnhandledSignals)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Containers run as processes on Unix only; use simulated containers on this system.");
        }

        _dataDirectory = dataDirectory;
        _ignoreUnhandledSignals = ignoreUnhandledSignals;
        _watchdog = new(() => Watchdog.Start(dataDirectory));
    }

    public IContainer Start(ContainerLaunch launch)
    {
        _ = _watchdog.Value;
        var container = new ProcessContainer(StartProcess(launch), launch.Id, _sweeper, _ignoreUnhandledSignals);
        _containers[container] = true;
        _ = container.Exited.ContinueWith(
            (_, state) => _containers.TryRemove((ProcessContainer)state!, out var _),
            container, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return container;
    }

    public async Task<int?> ExecuteAsync(ContainerLaunch launch, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var process = StartProcess(launch);
        try
        {
            return await process.Exited.WaitAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // What it started goes with its process group, or at the latest with the container.
            process.Signal(Libc.SigKill);
            await process.Exited.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    public IAttachedCommand Attach(ContainerLaunch launch)
    {
        var environment = EnvironmentOf(launch);
        try
        {
            return AttachedProcess.Start(Resolve(launch, environment), environment);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new ContainerStartException(e.Message, e);
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

    private Dictionary<string, string> EnvironmentOf(ContainerLaunch launch)
    {
        var environment = new Dictionary<string, string>();
        foreach (var name in s_inherited)
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                environment[name] = value;
            }
        }

        foreach (var (name, value) in launch.Environment)
        {
            environment[name] = value;
        }

        environment[ProcessTree.ContainerVariable] = launch.Id;
        environment[ProcessTree.ClusterVariable] = _dataDirectory;
        return environment;
    }

    private IChildProcess StartProcess(ContainerLaunch launch)
    {
        var environment = EnvironmentOf(launch);
        var command = Resolve(launch, environment);
        try
        {
            return OperatingSystem.IsLinux()
                ? SpawnedProcess.Start(command, environment, launch.LogFile)
                : ShellProcess.Start(command, environment, launch.LogFile);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new ContainerStartException(e.Message, e);
        }
    }

    private static IReadOnlyList<string> Resolve(ContainerLaunch launch, Dictionary<string, string> environment)
    {
        // posix_spawn cannot change the directory everywhere (glibc before 2.29): a shell does.
        if (launch.WorkingDirectory is { Length: > 0 } directory)
        {
            return ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", directory, .. launch.Command];
        }

        var program = launch.Command[0];
        if (program.Contains('/'))
        {
            return launch.Command;
        }

        var found = environment.GetValueOrDefault("PATH", "/usr/local/bin:/usr/bin:/bin").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(d => Path.Combine(d, program)).FirstOrDefault(File.Exists)
            ?? throw new ContainerStartException($"exec: \"{program}\": executable file not found in $PATH");
        return [found, .. launch.Command.Skip(1)];
    }
}
