using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>What a person must raise, or look for elsewhere, when memory was short.</summary>
internal static class MemoryLimit
{
    /// <param name="pod">The Pod as it was last seen; null if it never was.</param>
    /// <param name="container">Whose memory was short.</param>
    public static string Of(PodObservation? pod, string? container) => pod switch
    {
        null => "its memory limit is not known: the Pod was not seen",
        _ when pod.MemoryLimits.FirstOrDefault(l => l.Container == container) is { } own => $"memory limit {own.Limit} of container {container}",
        { MemoryLimit: { } shared } => $"memory limit {shared} of the whole Pod",
        _ => $"container {container} has no memory limit: the node's memory was full",
    };
}
