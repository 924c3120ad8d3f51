using System.Globalization;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>How often the kernel's OOM killer has struck in our cgroup. Best effort: null where it cannot be read.</summary>
internal static class OomCounter
{
    // The agent stays in the cgroup that it was started in.
    private static string? _path;

    internal static long? Read()
    {
        try
        {
            _path ??= Candidates(File.ReadAllLines("/proc/self/cgroup")).FirstOrDefault(File.Exists);
            return _path is null ? null : Parse(File.ReadAllLines(_path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The files to look into, best first. In a cgroup namespace our own group is the root; without one it has a path.</summary>
    internal static IEnumerable<string> Candidates(IReadOnlyList<string> cgroupLines)
    {
        foreach (var parts in cgroupLines.Select(l => l.Split(':', 3)).Where(p => p.Length == 3))
        {
            var path = parts[2].TrimEnd('/');
            if (parts[0] == "0" && parts[1].Length == 0)
            {
                yield return $"/sys/fs/cgroup{path}/memory.events";
                yield return "/sys/fs/cgroup/memory.events";
            }
            else if (parts[1].Split(',').Contains("memory"))
            {
                yield return $"/sys/fs/cgroup/memory{path}/memory.oom_control";
                yield return "/sys/fs/cgroup/memory/memory.oom_control";
            }
        }
    }

    internal static long Parse(IEnumerable<string> lines) =>
        lines.Select(l => l.Split(' ')).Where(p => p is ["oom_kill", _])
            .Select(p => long.TryParse(p[1], NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0).FirstOrDefault();
}
