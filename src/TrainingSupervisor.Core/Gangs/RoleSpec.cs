using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>A group of like workers in a gang. Made by <see cref="RoleBuilder"/>; never changes.</summary>
public sealed record RoleSpec
{
    internal RoleSpec()
    {
    }

    /// <summary>The role's name, a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>How many workers train in this role.</summary>
    public required int Count { get; init; }

    /// <summary>How many extra Pods wait at the barrier to take over a rank.</summary>
    public int Spares { get; init; }

    /// <summary>Spares on nodes with a certain label, besides <see cref="Spares"/>, which may be on any node.</summary>
    public ImmutableArray<SparePool> SparePools { get; init; } = [];

    /// <summary>How many workers make up a cell; 0 for no cells. Cells are of neighbouring indexes: 0 to n-1, n to 2n-1, and so on.</summary>
    public int CellSize { get; init; }

    /// <summary>With how few workers the role may go on when no replacement comes; <see cref="Count"/> if it may not shrink.</summary>
    public int MinWorkers { get; init; } = int.MaxValue;

    /// <summary>A shrunk role has a multiple of so many workers.</summary>
    public int WorkerMultiple { get; init; } = 1;

    /// <summary>How long a missing worker is waited for at the barrier before the role shrinks.</summary>
    public TimeSpan ShrinkDeadline { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether the role may go on with fewer workers.</summary>
    public bool IsElastic => MinWorkers < Count;

    /// <summary>The spares of all pools together.</summary>
    internal int AllSpares => Spares + SparePools.Sum(p => p.Count);

    /// <summary>The worker's container image.</summary>
    public required string Image { get; init; }

    /// <summary>The worker's command and its arguments, started by the agent when the barrier opens. May be empty for a <see cref="Sidecar"/>.</summary>
    public required ImmutableArray<string> Command { get; init; }

    /// <summary>
    /// Whether the agent runs beside the worker as a sidecar, and not as the parent of its process: for images whose command is not known.
    /// </summary>
    public bool Sidecar { get; init; }

    /// <summary>Environment variables of the worker, besides those of the worker contract.</summary>
    public ImmutableSortedDictionary<string, string> Environment { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Whether no two Pods of the gang may share a node.</summary>
    public bool OnePerNode { get; init; }

    /// <summary>The user's Pod template as YAML or JSON, or null. The worker's container is the first one in it.</summary>
    public string? PodTemplate { get; init; }

    /// <summary>How the agent gets into the Pod.</summary>
    public AgentDelivery AgentDelivery { get; init; }

    /// <summary>The agent's image, or for <see cref="AgentDelivery.InImage"/> the path of the agent in the worker's image.</summary>
    public required string Agent { get; init; }

    /// <summary>Which Pods are the role's workers, where something else creates them; null where the supervisor does.</summary>
    public AdoptedPods? Adopted { get; init; }

    /// <summary>The command that tells whether a worker is well, or null.</summary>
    public HealthCheck? HealthCheck { get; init; }

    /// <summary>Regular expressions for a line on a worker's stderr that means that it is broken although it still runs.</summary>
    public ImmutableArray<string> FailurePatterns { get; init; } = [];

    /// <summary>What other packages have put on this role through their extension methods, by the type of the thing.</summary>
    internal ImmutableDictionary<Type, object> Extensions { get; init; } = ImmutableDictionary<Type, object>.Empty;
}
