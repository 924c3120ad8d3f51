namespace TrainingSupervisor.Agent;

/// <summary>
/// Copies this program to where the worker's container finds it: the way into a Pod, by an init container, where the cluster cannot mount
/// the agent's image.
/// </summary>
internal static class Install
{
    private const UnixFileMode Mode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>Null if it is done, or what is wrong.</summary>
    internal static string? To(string target)
    {
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "gang-agent.dll")))
            return "this build of gang-agent is more than one file and cannot be installed; publish it with NativeAOT";
        try
        {
            var path = Path.GetFullPath(target);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            // Renamed into place: a copy that was cut short must not be run, and one that runs cannot be written to.
            File.Copy(Environment.ProcessPath!, path + ".new", overwrite: true);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path + ".new", Mode);
            File.Move(path + ".new", path, overwrite: true);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot install to {target}: {e.Message}";
        }
    }
}
