namespace TrainingSupervisor.Kubernetes;

internal enum WatchEventKind
{
    /// <summary>ADDED or MODIFIED: which of them it is, what is known tells better.</summary>
    Changed,
    Deleted,
    Bookmark,
}

/// <summary>One event of a watch. <paramref name="Version"/> is 0 where the server gave none.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Version">The object's resourceVersion; decimal numbers that grow are the API's contract since Kubernetes 1.35 (KEP-5504).</param>
/// <param name="Name">Empty for a bookmark.</param>
/// <param name="Uid">Empty for a bookmark.</param>
/// <param name="Record">What we keep of it; null for a bookmark, and for an object that is not ours.</param>
internal readonly record struct WatchEvent<T>(WatchEventKind Kind, ulong Version, string Name, string Uid, T? Record)
    where T : class;

/// <summary>One page of a list.</summary>
internal sealed record ListPage<T>(ulong Version, string? Continue, IReadOnlyList<WatchEvent<T>> Items)
    where T : class;
