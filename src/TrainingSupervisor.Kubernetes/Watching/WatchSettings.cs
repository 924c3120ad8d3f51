namespace TrainingSupervisor.Kubernetes;

/// <summary>What a <see cref="Watcher{T}"/> watches, and whom it tells.</summary>
/// <param name="What">For people: <c>pods</c>.</param>
/// <param name="Path">The collection, relative to the server's address.</param>
/// <param name="Selector">A label selector, or null for all.</param>
/// <param name="Format">How the objects come.</param>
internal sealed record WatchSettings<T>(string What, string Path, string? Selector, IObjectFormat<T> Format)
    where T : class
{
    public required Action<T> Changed { get; init; }

    /// <summary>Name and UID.</summary>
    public required Action<string, string> Deleted { get; init; }

    /// <summary>After each full list.</summary>
    public required Action Listed { get; init; }

    /// <summary>Every change until this moment has been told.</summary>
    public Action<DateTimeOffset> Fresh { get; init; } = static _ => { };

    /// <summary>How long this watch may be silent, if that is shorter than the option.</summary>
    public TimeSpan? IdleTimeout { get; init; }

    /// <summary>
    /// The verb (list or watch) was refused before it was ever allowed. True: go on without this kind; false: try again.
    /// Throws if nothing works without it.
    /// </summary>
    public required Func<string, ApiStatusException, bool> OnRefused { get; init; }

    /// <summary>Whether two records say the same, so that nobody need be told.</summary>
    public Func<T, T, bool> Same { get; init; } = static (_, _) => false;
}
