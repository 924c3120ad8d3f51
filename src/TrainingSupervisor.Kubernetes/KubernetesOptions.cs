namespace TrainingSupervisor;

/// <summary>How the Kubernetes API is used.</summary>
public sealed class KubernetesOptions
{
    /// <summary>How long a supervisor that has died still holds its gangs. Default 15 seconds; renewed at a third of it. At least one second.</summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a watch may be silent, bookmarks included, before it is opened anew. Default 90 seconds.</summary>
    public TimeSpan WatchIdleTimeout { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>How long one try of a request may take. Default 15 seconds.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How many requests may be under way at once. Default 64.</summary>
    public int MaxConcurrentRequests { get; set; } = 64;

    /// <summary>How many objects a page of a list has.</summary>
    internal int PageSize { get; set; } = 500;

    /// <summary>
    /// Who holds the Leases, for people who read them; each process adds something of its own. Default: the machine's name and a number.
    /// </summary>
    public string Identity { get; set; } = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..8]}";
}
