namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>These tests start dozens of processes each: side by side they would measure the machine.</summary>
[CollectionDefinition(nameof(OneAtATime), DisableParallelization = true)]
public sealed class OneAtATime;
