namespace TrainingSupervisor;

/// <summary>What a policy does about a failure.</summary>
public enum RecoveryStrategy
{
    /// <summary>The failed worker's Pod is recreated if its Pod or node is to blame, else restarted in place; all others are restarted in place.</summary>
    Hybrid,

    /// <summary>Every worker is restarted in its Pod (RestartAllContainers); only Pods that are gone are recreated.</summary>
    RestartGangInPlace,

    /// <summary>Every worker's process is restarted by its agent, without the kubelet; only Pods that are gone are recreated.</summary>
    RestartProcesses,

    /// <summary>Every Pod is deleted and created anew.</summary>
    RecreateGang,

    /// <summary>Every failed worker gets a new Pod, whatever its kind of failure; all others are restarted in place.</summary>
    RecreateFailed,

    /// <summary>Only the failed worker's cell restarts, as <see cref="Hybrid"/> within it; the other cells run on.</summary>
    RestartCell,

    /// <summary>A spare takes the failed worker's rank, whatever its kind of failure; without one it gets a new Pod. All others are restarted in place.</summary>
    ReplaceWithSpare,

    /// <summary>The gang goes on at once with fewer workers, where the role allows it; else as <see cref="Hybrid"/>.</summary>
    ShrinkGang,

    /// <summary>The gang fails.</summary>
    FailGang,

    /// <summary>Nothing is done; the failure is reported.</summary>
    Ignore,
}

/// <summary>What a recovery does to one worker.</summary>
public enum RecoveryStep
{
    /// <summary>Nothing: it waits at the barrier already.</summary>
    Keep,

    /// <summary>The agent ends the worker's processes and waits at the barrier.</summary>
    RestartProcess,

    /// <summary>All containers of the Pod restart; the Pod, its node and its volumes stay.</summary>
    RestartInPlace,

    /// <summary>A new Pod takes the worker's place.</summary>
    Recreate,

    /// <summary>A spare Pod that waits at the barrier takes the worker's rank.</summary>
    ReplaceWithSpare,
}
