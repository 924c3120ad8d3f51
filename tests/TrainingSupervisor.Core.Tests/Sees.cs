namespace TrainingSupervisor.Core.Tests;

/// <summary>This test shows that these kinds of failure are found in their evidence. <see cref="EveryKindTests"/> counts them.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SeesAttribute(params FailureKind[] kinds) : Attribute
{
    public IReadOnlyList<FailureKind> Kinds { get; } = kinds;
}

/// <summary>This test shows that what looks like these kinds of failure, and is none, is left alone.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LeavesAloneAttribute(params FailureKind[] kinds) : Attribute
{
    public IReadOnlyList<FailureKind> Kinds { get; } = kinds;
}
