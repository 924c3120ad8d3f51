using System.Diagnostics;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>
/// A shell that waits for the end of this process and then kills the containers that it left. Not PR_SET_PDEATHSIG: that
/// follows the thread that forked, and threads of a pool come and go.
/// </summary>
internal static class Watchdog
{
    private const string Script = """
        read -r _
        for round in 1 2 3; do
          for p in /proc/[0-9]*; do
            if tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qxF -e "$0"; then kill -9 "${p#/proc/}" 2>/dev/null; fi
          done
        done
        """;

    /// <summary>Starts the shell, or returns null where there is no process table to read.</summary>
    public static Process? Start(string dataDirectory)
    {
        if (!ProcessTree.IsSupported)
        {
            return null;
        }

        var start = new ProcessStartInfo { FileName = "/bin/sh", RedirectStandardInput = true };
        foreach (var argument in (ReadOnlySpan<string>)
            ["-c", $"trap '' INT HUP TERM\n{Script}", $"{ProcessTree.ClusterVariable}={dataDirectory}"])
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start);
    }
}
