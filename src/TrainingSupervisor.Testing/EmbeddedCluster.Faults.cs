using TrainingSupervisor.Testing.Runtime;

namespace TrainingSupervisor.Testing;

/// <content>Faults of Pods and containers.</content>
public sealed partial class EmbeddedCluster
{
    /// <summary>Sends a signal to a container's main process.</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="container">The container.</param>
    /// <param name="signal">The signal's number; default: 9, SIGKILL.</param>
    /// <param name="ns">The Pod's namespace.</param>
    /// <param name="outOfMemory">Kill it, and report the reason OOMKilled.</param>
    /// <exception cref="KeyNotFoundException">There is no such Pod on any node, or no such container.</exception>
    /// <exception cref="InvalidOperationException">The container does not run.</exception>
    public Task KillContainerAsync(
        string podName, string container, int signal = 9, string ns = "default", bool outOfMemory = false)
    {
        var slot = Plane.Container(ns, podName, container);
        var current = slot.Current ?? throw new InvalidOperationException($"Container {container} of Pod {ns}/{podName} does not run.");
        if (outOfMemory)
        {
            slot.KillReason = "OOMKilled";
            signal = Libc.SigKill;
        }

        current.Signal(signal);
        return Task.CompletedTask;
    }

    /// <summary>Ends a simulated container (<see cref="KubeletOptions.SimulateContainers"/>).</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="container">The container.</param>
    /// <param name="code">Its exit code.</param>
    /// <param name="ns">The Pod's namespace.</param>
    /// <exception cref="InvalidOperationException">The container does not run, or is not simulated.</exception>
    public Task ExitContainerAsync(string podName, string container, int code, string ns = "default")
    {
        var simulated = Plane.Container(ns, podName, container).Current as SimulatedContainer
            ?? throw new InvalidOperationException($"Container {container} of Pod {ns}/{podName} is not a running simulated one.");
        simulated.Exit(code);
        return Task.CompletedTask;
    }

    /// <summary>The number of a container's main process on this machine, or null when it does not run.</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="container">The container.</param>
    /// <param name="ns">The Pod's namespace.</param>
    public int? GetContainerProcessId(string podName, string container, string ns = "default") =>
        Plane.Container(ns, podName, container).Current?.ProcessId;

    /// <summary>All processes that live in a container, also those that left their parent. Linux only; empty elsewhere.</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="container">The container.</param>
    /// <param name="ns">The Pod's namespace.</param>
    public IReadOnlyList<int> FindProcesses(string podName, string container, string ns = "default") =>
        Plane.Container(ns, podName, container).Current?.FindProcesses() ?? [];

    /// <summary>Evicts a Pod as the eviction API does: condition DisruptionTarget, then a graceful deletion.</summary>
    /// <param name="podName">The Pod.</param>
    /// <param name="ns">The Pod's namespace.</param>
    public Task EvictPodAsync(string podName, string ns = "default")
    {
        Plane.Evict(ns, podName);
        return Task.CompletedTask;
    }
}
