namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>Where the embedded cluster knowingly does not do as the real one did, and why.</summary>
internal static class KnownDifferences
{
    private static readonly Dictionary<string, string> s_differs = new()
    {
        ["http-409-apply-conflict"] = "server-side apply merges, but there are no field owners, so there is no conflict between them",
        ["http-event-create"] = "events.k8s.io/v1 is not served: Events are those of the core group",
    };

    /// <summary>Recordings that cannot be played here at all.</summary>
    public static IReadOnlyDictionary<string, string> Impossible { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["encodings"] = "the API server speaks JSON only",
        ["ra-job.job"] = "there is no Job controller; its Pods are played as ra-job",
        ["watch-slow-reader"] = "no watcher is dropped for being slow; ApiFaults.DropWatches shows a client the same",
    };

    public static string? ReasonOf(string scenario) => s_differs.GetValueOrDefault(scenario);
}
