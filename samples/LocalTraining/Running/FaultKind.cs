namespace LocalTraining.Running;

/// <summary>The ways in which the sample breaks things.</summary>
internal enum FaultKind
{
    /// <summary>SIGKILL to a worker process.</summary>
    KillWorker,

    /// <summary>A worker exits with an application error.</summary>
    Fail,

    /// <summary>A node dies with its processes and never comes back.</summary>
    KillNode,

    /// <summary>A worker hangs.</summary>
    Hang,

    /// <summary>SIGKILL to a worker process, and to the supervisor in the recovery from that.</summary>
    KillWorkerAndSupervisor,
}
