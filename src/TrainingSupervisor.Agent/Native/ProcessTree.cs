using System.Globalization;

namespace TrainingSupervisor.Agent.Native;

/// <summary>
/// What runs below this process. As a child subreaper the agent inherits every orphan, so whatever a worker has started,
/// in whichever session or group, is a descendant.
/// </summary>
internal static class ProcessTree
{
    private static readonly TimeSpan WarnAfter = TimeSpan.FromSeconds(5);

    internal static void BecomeSubreaper()
    {
        if (Libc.Prctl(Libc.SetChildSubreaper, 1, 0, 0, 0) != 0)
            Log.Write("could not become a child subreaper: orphans of the worker may escape");
    }

    /// <summary>Kills all descendants, again and again since they may fork meanwhile, and returns once none is left.</summary>
    internal static async Task KillAllAsync(TimeProvider time)
    {
        var began = time.GetTimestamp();
        var warned = false;
        for (var round = 0; ; round++)
        {
            var alive = Descendants(Environment.ProcessId);
            if (alive.Count == 0)
                return;
            foreach (var pid in alive)
                _ = Libc.Kill(pid, Libc.SigKill);
            if (!warned && time.GetElapsedTime(began) > WarnAfter)
            {
                warned = true;
                Log.Write($"processes that SIGKILL does not end (blocked in the kernel?): {string.Join(' ', alive)}; waiting for them");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(1 << Math.Min(round, 6), 50)), time).ConfigureAwait(false);
        }
    }

    /// <summary>Kills whatever is in this session.</summary>
    internal static void KillSession(int session)
    {
        foreach (var (pid, _, its) in All())
        {
            if (its == session)
                _ = Libc.Kill(pid, Libc.SigKill);
        }
    }

    /// <summary>Living descendants and zombies alike: a zombie is gone only when the reaper has had it.</summary>
    internal static List<int> Descendants(int root)
    {
        var parents = new Dictionary<int, int>();
        foreach (var (pid, parent, _) in All())
            parents[pid] = parent;
        return [.. parents.Keys.Where(pid => pid != root && IsBelow(pid))];

        bool IsBelow(int pid)
        {
            for (var hops = 0; hops < 4096 && parents.TryGetValue(pid, out var parent); hops++, pid = parent)
            {
                if (parent == root)
                    return true;
            }

            return false;
        }
    }

    private static IEnumerable<(int Pid, int Parent, int Session)> All()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && StatOf(directory) is var (parent, session))
                yield return (pid, parent, session);
        }
    }

    private static (int Parent, int Session)? StatOf(string directory)
    {
        try
        {
            var stat = File.ReadAllText(directory + "/stat");
            // "pid (name) state ppid pgrp session ...": the name may itself hold spaces and parentheses.
            var rest = stat.AsSpan(stat.LastIndexOf(')') + 2);
            Span<Range> parts = stackalloc Range[5];
            return rest.Split(parts, ' ') >= 4
                ? (int.Parse(rest[parts[1]], CultureInfo.InvariantCulture), int.Parse(rest[parts[3]], CultureInfo.InvariantCulture))
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // It ended between the listing and the reading.
        }
    }
}
