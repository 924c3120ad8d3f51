using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>
/// Finds and kills all processes of a container. Linux has no parent-child link once a parent is gone, so membership is
/// a variable in the environment that children inherit, or the session that the main process leads.
/// </summary>
internal static class ProcessTree
{
    public const string ContainerVariable = "EMBEDDED_CONTAINER_ID";
    public const string ClusterVariable = "EMBEDDED_CLUSTER_DIRECTORY";

    private static readonly byte[] s_containerMarker = Encoding.UTF8.GetBytes(ContainerVariable + "=");
    private static readonly Lazy<long> s_ownStart = new(() =>
    {
        var buffer = new byte[1024];
        return ReadStat("/proc/self", ref buffer)?.StartTime ?? 0;
    });

    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>Living processes whose environment has the variable, or that are in the session.</summary>
    public static List<int> Find(string variable, string value, int session = 0)
    {
        var found = new List<int>();
        if (!IsSupported)
        {
            return found;
        }

        // Entries of an environment block end with a zero byte: a value that merely begins alike is not a match.
        var marker = Encoding.UTF8.GetBytes($"{variable}={value}\0");
        var buffer = new byte[16 * 1024];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(directory.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || pid == Environment.ProcessId)
            {
                continue;
            }

            if (ReadStat(directory, ref buffer) is var (itsSession, _)
                && ((session > 0 && itsSession == session) || HasMarker(directory, marker, ref buffer)))
            {
                found.Add(pid);
            }
        }

        return found;
    }

    /// <summary>Kills until a whole look at the process table finds none: a process may fork while it is being looked for.</summary>
    public static async Task KillAsync(string variable, string value, int session = 0)
    {
        for (var round = 0; ; round++)
        {
            var alive = Find(variable, value, session);
            if (alive.Count == 0)
            {
                return;
            }

            foreach (var pid in alive)
            {
                _ = Libc.Kill(pid, Libc.SigKill);
            }

            // A killed process needs a moment to go; one in an uninterruptible wait may need long.
            await Task.Delay(TimeSpan.FromMilliseconds(round < 5 ? 1 : 10), TimeProvider.System).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Shows every living process that is younger than this one, with its session and a function that reads which
    /// container it is in. Processes of containers are younger; most of a machine's are not, and cost one read each.
    /// </summary>
    public static void Visit(Action<int, int, Func<string?>> see)
    {
        var buffer = new byte[16 * 1024];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(directory.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && pid != Environment.ProcessId
                && ReadStat(directory, ref buffer) is var (session, startTime)
                && startTime >= s_ownStart.Value)
            {
                see(pid, session, () => ReadContainer(directory, ref buffer));
            }
        }
    }

    /// <summary>Whether a process has a handler for a signal; true where that cannot be known.</summary>
    public static bool Handles(int pid, int signal)
    {
        var buffer = new byte[4096];
        var length = Libc.ReadSmallFile($"/proc/{pid}/status", ref buffer);
        var status = Encoding.ASCII.GetString(buffer, 0, length);
        var at = status.IndexOf("SigCgt:", StringComparison.Ordinal);
        return at < 0
            || (ulong.Parse(status.AsSpan(at + 7, status.IndexOf('\n', at) - at - 7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                & (1UL << (signal - 1))) != 0;
    }

    private static string? ReadContainer(string directory, ref byte[] buffer)
    {
        var environment = buffer.AsSpan(0, Libc.ReadSmallFile(directory + "/environ", ref buffer));
        environment = buffer.AsSpan(0, environment.Length);
        var at = environment.IndexOf(s_containerMarker);
        if (at < 0)
        {
            return null;
        }

        var value = environment[(at + s_containerMarker.Length)..];
        var end = value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? value : value[..end]);
    }

    /// <summary>The session and the start time of a process; null when it is dead or gone.</summary>
    private static (int Session, long StartTime)? ReadStat(string directory, ref byte[] buffer)
    {
        var length = Libc.ReadSmallFile(directory + "/stat", ref buffer);

        // "pid (name) state ppid pgrp session ...", and the name may hold anything, also brackets.
        var end = buffer.AsSpan(0, length).LastIndexOf((byte)')');
        if (end < 0)
        {
            return null;
        }

        var fields = Encoding.ASCII.GetString(buffer.AsSpan(end + 2, length - end - 2)).Split(' ', 21);
        return fields.Length < 21 || fields[0] is "Z" or "X"
            ? null
            : (int.Parse(fields[3], CultureInfo.InvariantCulture), long.Parse(fields[19], CultureInfo.InvariantCulture));
    }

    private static bool HasMarker(string directory, byte[] marker, ref byte[] buffer)
    {
        var length = Libc.ReadSmallFile(directory + "/environ", ref buffer);
        return buffer.AsSpan(0, length).IndexOf(marker) >= 0;
    }
}
