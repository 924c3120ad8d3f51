namespace TrainingSupervisor.Samples.Tests;

/// <summary>Whole samples start dozens of processes: one at a time is enough for a small machine.</summary>
[CollectionDefinition("programs, one at a time", DisableParallelization = true)]
public sealed class OneAtATime;
