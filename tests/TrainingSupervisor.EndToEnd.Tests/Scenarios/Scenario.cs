using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>One way in which things break, and what must come of it. A row of the table in docs/recovery-decisions.md.</summary>
/// <param name="Name">The gang's name, and the pool of nodes that only this gang uses.</param>
/// <param name="Kind">As what the failure must be seen; null if nothing fails.</param>
/// <param name="Injected">What is done, in words.</param>
/// <param name="Inject">What is done.</param>
internal sealed record Scenario(string Name, FailureKind? Kind, string Injected, Func<Play, Task> Inject)
{
    /// <summary>Another Pod for w-1, the others stay in theirs.</summary>
    public const string MoveOne = "Recreate w-1, RestartInPlace w-0 w-2";

    public const string SpareForOne = "ReplaceWithSpare w-1, RestartInPlace w-0 w-2";
    public const string AllInPlace = "RestartInPlace w-0 w-1 w-2";

    public int Workers { get; init; } = 3;

    /// <summary>Nodes beyond one for each worker.</summary>
    public int MoreNodes { get; init; }

    /// <summary>Labels of the nodes, by number from 1.</summary>
    public Func<int, NodeOptions, NodeOptions> Node { get; init; } = (_, options) => options;

    /// <summary>What each worker's shell does beside.</summary>
    public string Beside { get; init; } = "";

    public Action<RoleBuilder> Role { get; init; } = _ => { };
    public Action<GangBuilder> Gang { get; init; } = _ => { };
    public Action<V1Pod>? Pod { get; init; }

    /// <summary>Null for the policy's defaults.</summary>
    public Action<PolicyBuilder>? Policy { get; init; }

    /// <summary>Whom it must be pinned on; null for the gang as a whole.</summary>
    public int? Culprit { get; init; } = 1;

    /// <summary>What the plan must say began it, where that is another kind than the one shown.</summary>
    public FailureKind? Cause { get; init; }

    /// <summary>The steps of the last plan; null if none may be made.</summary>
    public string? Steps { get; init; } = AllInPlace;

    /// <summary>The attempt that must run in the end, and whose plan is shown.</summary>
    public int Attempt { get; init; } = 2;

    /// <summary>False if the fault is in the gang's description: it never runs before.</summary>
    public bool StartsWell { get; init; } = true;

    public bool Fails { get; init; }

    /// <summary>Whether the Pods that stay must have restarted exactly once.</summary>
    public bool CountsRestarts { get; init; } = true;

    /// <summary>What else must come true after it.</summary>
    public Func<Play, Task> Then { get; init; } = _ => Task.CompletedTask;

    /// <summary>It has deadlines to wait for.</summary>
    public bool IsLong { get; init; }

    /// <summary>It plays where node Leases are short, and its fence is short.</summary>
    public bool NodesDie { get; init; }

    /// <summary>A cluster of its own, for faults that all gangs of a cluster would feel.</summary>
    public bool Alone { get; init; }
}
