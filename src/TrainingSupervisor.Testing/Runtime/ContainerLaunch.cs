namespace TrainingSupervisor.Testing.Runtime;

/// <summary>All that a runtime needs to start a container. The first item of <paramref name="Command"/> is a path.</summary>
internal sealed record ContainerLaunch(
    string Id,
    IReadOnlyList<string> Command,
    IReadOnlyDictionary<string, string> Environment,
    string? WorkingDirectory,
    string LogFile)
{
    /// <summary>Rewrites mount paths to directories of this machine.</summary>
    public Func<string, string> Rewrite { get; init; } = static text => text;
}
