using System.Globalization;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>How often the kernel's OOM killer has struck in our cgroup. Best effort: 0 where it cannot be read.</summary>
internal static class OomCounter
{
    internal static long Read()
    {
        try
        {
            return Candidates(File.ReadAllLines("/proc/self/cgroup")).Where(File.Exists).Select(p => Parse(File.ReadAllLines(p))).FirstOrDefault();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
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
