namespace TrainingSupervisor;

/// <summary>What a policy does about a failure.</summary>
public enum RecoveryStrategy
{
    /// <summary>The failed worker's Pod is recreated if its Pod or node is to blame, else restarted in place; all others are restarted in place.</summary>
    Hybrid,

    /// <summary>Every worker is restarted in its Pod (RestartAllContainers), but for those whose Pod is gone or whose kind of failure blames the Pod or its node.</summary>
    RestartGangInPlace,

    /// <summary>Every worker's process is restarted by its agent, without the kubelet, but for those whose Pod is gone or whose kind of failure blames the Pod or its node.</summary>
    RestartProcesses,

    /// <summary>Every Pod is deleted and created anew.</summary>
    RecreateGang,

    /// <summary>The worker that failed first gets a new Pod, whatever its kind of failure, as does every worker whose Pod or node is to blame; all others are restarted in place.</summary>
    RecreateFailed,

    /// <summary>As <see cref="Hybrid"/>, but only within the cells of the failed workers; everyone else runs on.</summary>
    RestartCell,

    /// <summary>The worker that failed first gives way to a spare, whatever its kind of failure, or to a new Pod if no spare waits; all others are restarted in place.</summary>
    ReplaceWithSpare,

    /// <summary>The gang goes on without the worker that failed first and those whose Pod or node is to blame, where their role allows it (<see cref="RoleBuilder.WithMinWorkers"/>); else as <see cref="Hybrid"/>.</summary>
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
