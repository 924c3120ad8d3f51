namespace TrainingSupervisor.Agent.Sidecar;

/// <summary>Files between two containers, which may run as different users: whoever is in the Pod may write.</summary>
internal static class SharedFile
{
    private const UnixFileMode Everybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Makes it new and empty, whoever has made the one before.</summary>
    internal static void Create(string path)
    {
        File.Delete(path);
        File.WriteAllBytes(path, []);
        Allow(path);
    }

    internal static void Allow(string path)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, Everybody);
    }
}
