using System.Collections.Immutable;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Observations;

/// <summary>What we keep of a Node and its Lease.</summary>
internal sealed record NodeObservation
{
    public required string Name { get; init; }

    /// <summary>The condition Ready: true, false, or null for Unknown and for none.</summary>
    public bool? Ready { get; init; }
    public string? ReadyReason { get; init; }
    public string? ReadyMessage { get; init; }
    public bool Unschedulable { get; init; }

    /// <summary><c>key:effect</c> of each taint.</summary>
    public ImmutableArray<string> Taints { get; init; } = [];

    /// <summary>metadata.labels.</summary>
    public ImmutableDictionary<string, string> Labels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Every condition but Ready that is True or False, in the order of the status.</summary>
    public ImmutableArray<NodeCondition> Conditions { get; init; } = [];

    /// <summary>The annotation training-supervisor.dev/failure: what a health system says of this node, as <c>Kind: evidence</c>.</summary>
    public string? Reported { get; init; }

    /// <summary>The Node object was deleted.</summary>
    public bool Deleted { get; init; }

    /// <summary>The gravest of what all this means for the gang, judged when it was seen; null if it means nothing.</summary>
    public FoundSign? Sign { get; init; }

    /// <summary>What says besides that it is about to go, where <see cref="Sign"/> says something graver.</summary>
    public FoundSign? Besides { get; init; }

    /// <summary>What says that it is about to go; null if nothing does.</summary>
    public FoundSign? Going => Sign is { Kind: FailureKind.NodeDraining } ? Sign : Besides;

    /// <summary>status.declaredFeatures has RestartAllContainersOnContainerExits.</summary>
    public bool RestartsInPlace { get; init; }

    /// <summary>When WE saw the node's Lease change last, by our own clock, so that a skewed node clock cannot mislead; null if never.</summary>
    public DateTimeOffset? LeaseSeen { get; init; }

    /// <summary>spec.leaseDurationSeconds of the node's Lease; nodes renew at a quarter of it.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(40);
}

/// <summary>One condition of a Node.</summary>
internal sealed record NodeCondition(string Type, string Reason, string Message)
{
    public bool Status { get; init; } = true;
}
