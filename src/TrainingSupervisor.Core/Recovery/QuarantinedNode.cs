namespace TrainingSupervisor;

/// <summary>A node that new Pods of the gang avoid for some time, because it failed.</summary>
/// <param name="Reason">The kind of its last failure; <c>NodeDraining, as reported</c> where the Node itself does not say so.</param>
/// <param name="Since">When it failed last.</param>
/// <param name="Until">When it is forgiven; each further failure within a day doubles the time.</param>
/// <param name="Failures">How often it has failed, each within a day of the one before.</param>
public sealed record QuarantinedNode(string Reason, DateTimeOffset Since, DateTimeOffset Until, int Failures);
