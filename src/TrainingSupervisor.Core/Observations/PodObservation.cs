using System.Collections.Immutable;

namespace TrainingSupervisor.Observations;

/// <summary>What we keep of a Pod: the little that a decision can depend on.</summary>
internal sealed record PodObservation
{
    public required string Name { get; init; }
    public required string Uid { get; init; }

    /// <summary>The label <c>training-supervisor.dev/role</c>.</summary>
    public required string Role { get; init; }

    /// <summary>The label <c>training-supervisor.dev/worker</c>; null for a spare.</summary>
    public WorkerId? Worker { get; init; }

    /// <summary>The label <c>training-supervisor.dev/incarnation</c>.</summary>
    public int Incarnation { get; init; }

    public string? Node { get; init; }
    public string? Address { get; init; }
    public PodPhase Phase { get; init; }

    /// <summary>status.reason and status.message, as for an eviction.</summary>
    public string? Reason { get; init; }
    public string? Message { get; init; }

    public bool Ready { get; init; }
    public bool Deleting { get; init; }

    /// <summary>The condition AllContainersRestarting is True.</summary>
    public bool AllContainersRestarting { get; init; }

    /// <summary>
    /// Its worker's container carries a rule with the action RestartAllContainers. The rule cannot be added later: a Pod without it does not
    /// restart in place on any node.
    /// </summary>
    public bool RestartsInPlace { get; init; } = true;

    /// <summary>The name of the worker's container: the first that is no init container.</summary>
    public string? WorkerContainer { get; init; }

    /// <summary>spec.containers[*].resources.limits.memory, as the user wrote it, of those that have one (init containers too).</summary>
    public ImmutableArray<ContainerMemory> MemoryLimits { get; init; } = [];

    /// <summary>spec.resources.limits.memory: what all containers share; null if there is no such limit.</summary>
    public string? MemoryLimit { get; init; }

    /// <summary>Reason and message of PodScheduled=False.</summary>
    public string? UnschedulableReason { get; init; }
    public string? UnschedulableMessage { get; init; }

    /// <summary>Reason and message of DisruptionTarget=True.</summary>
    public string? DisruptionReason { get; init; }
    public string? DisruptionMessage { get; init; }

    /// <summary>The annotation training-supervisor.dev/failure: what a health system says of this Pod, as <c>Kind: evidence</c>.</summary>
    public string? Reported { get; init; }

    public DateTimeOffset Created { get; init; }

    /// <summary>Init containers first, then the others, in the order of the status.</summary>
    public ImmutableArray<ContainerObservation> Containers { get; init; } = [];

    /// <summary>
    /// No container of this Pod can be running any more. The phase alone is no proof: eviction and the garbage collector of lost nodes set
    /// it while containers may still run.
    /// </summary>
    public bool HasEnded =>
        !AllContainersRestarting
        && (Phase is PodPhase.Succeeded or PodPhase.Failed
            || (Deleting && Containers.Any(c => !c.Initial) && Containers.All(c => c.Initial || c.State == ContainerState.Terminated)))
        && !Containers.Any(c => c.State == ContainerState.Running);

    /// <summary>No container of this Pod has ever been started, as far as its status tells.</summary>
    public bool NeverStarted => Node is null;
}

/// <summary>A container's memory limit, as a Kubernetes quantity.</summary>
internal sealed record ContainerMemory(string Container, string Limit);

internal enum PodPhase
{
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

internal enum ContainerState
{
    Waiting,
    Running,
    Terminated,
}

internal sealed record ContainerObservation
{
    public required string Name { get; init; }

    /// <summary>It stands among the Pod's init containers (a sidecar does too).</summary>
    public bool Initial { get; init; }
    public ContainerState State { get; init; }

    /// <summary>Reason and message of the waiting or terminated state.</summary>
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public int ExitCode { get; init; }
    public int Signal { get; init; }
    public int RestartCount { get; init; }
    public string? LastReason { get; init; }
    public int? LastExitCode { get; init; }
}
