namespace LocalTraining.Running;

/// <summary>The ways in which the sample breaks things.</summary>
internal enum FaultKind
{
    /// <summary>A worker's own work takes twice as long, until it has been named.</summary>
    Slow,

    /// <summary>SIGKILL to a worker process.</summary>
    KillWorker,

    /// <summary>A worker exits with an application error.</summary>
    Fail,

    /// <summary>A node dies with its processes and never comes back.</summary>
    KillNode,

    /// <summary>A worker hangs.</summary>
    Hang,

    /// <summary>A node says that its machine is about to be taken away, and then it is.</summary>
    Drain,

    /// <summary>SIGKILL to a worker process, and to the supervisor in the recovery from that.</summary>
    KillWorkerAndSupervisor,
}
