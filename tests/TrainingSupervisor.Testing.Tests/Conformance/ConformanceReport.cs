using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>The table of scenarios and results, as it stands in docs/conformance.md.</summary>
internal static class ConformanceReport
{
    private const string Head = """
        # Conformance

        Written by the tests (`dotnet test tests/TrainingSupervisor.Testing.Tests`); do not edit.

        A real Kubernetes 1.36 (API server, scheduler, controller manager, kubelet, containerd) was recorded: what a watch of a Pod
        showed, and what the API server answered. The same manifests and requests are played on `EmbeddedCluster`, with real
        processes, and what was done to the Pods then (delete, evict, kill, a kubelet that dies) is done again.

        **Pods.** A state is phase, reason, whether there is a deletionTimestamp, each condition with status and reason, and for
        each container (init containers too) state and last state with reason and exit code, restart count, ready and started.
        Times, names, addresses, resourceVersions and the order of conditions are dropped. Either side may lack states that went by
        quickly: our sequence must be contained in the recorded one, in the same order, and each state that lasted more than
        0.5 s in the recording must appear in ours, and so must, however short, the two by which a restart of all containers is
        recognised. So an order may not be swapped, and a state that the real cluster never shows may not appear.

        **Nodes.** Likewise; a state is the cordon, the taints, and the conditions with status and reason.

        **HTTP.** Status code, `Content-Type`, `Retry-After`; of a `Status` the reason, message and details; of other bodies the set of
        fields, without `managedFields`, the service account and its token volume, and what a kubelet reports of resources, users and mounts. What Go's parsers say of malformed input is not compared.

        **Watches.** The kinds of events in order, and the content of bookmarks and errors.

        **Exec.** The protocol that was chosen, each message with its channel, and the code of the close; not the random identity in a message.

        What is done otherwise than in the recordings: whole seconds of `sleep` in commands take 0.4 of their time, and so does
        CrashLoopBackOff; the deadline of `active-deadline` is 2 s; probes have 20 s for an answer and
        the startup probe comes every 2 s; files outside of mounts lie in the shared volume, because
        containers here have no file system of their own; signals that a main process does not handle are kept from it, as the kernel
        does for process 1 (`KubeletOptions.IgnoreUnhandledSignals`); the Job in the `gate-*` recordings is left out, because there is no batch API.

        | | scenario | result | |
        |---|---|---|---|

        """;

    public static string Write(IReadOnlyList<ScenarioResult> results)
    {
        var text = new StringBuilder(Head.ReplaceLineEndings("\n"));
        foreach (var result in results)
        {
            var known = KnownDifferences.ReasonOf(result.Scenario.Name);
            var verdict = result.Differences.Count == 0 ? "passes" : "differs";
            text.Append(CultureInfo.InvariantCulture, $"| {result.Scenario.Group} | {result.Scenario.Name} | {verdict} | {(result.Differences.Count > 0 ? known : result.Scenario.Note)} |\n");
        }

        foreach (var (name, reason) in KnownDifferences.Impossible)
        {
            text.Append(CultureInfo.InvariantCulture, $"| | {name} | cannot | {reason} |\n");
        }

        var passed = results.Count(r => r.Differences.Count == 0);
        text.Append(CultureInfo.InvariantCulture, $"\n{passed} of {results.Count + KnownDifferences.Impossible.Count} pass.\n");
        return text.ToString();
    }

    /// <summary>Writes the table beside the solution, if it says something new; does nothing outside of a clone.</summary>
    public static void Save(string text)
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (!File.Exists(Path.Combine(directory.FullName, "Supervisor.sln")))
            {
                continue;
            }

            var file = Path.Combine(directory.FullName, "docs", "conformance.md");
            if (!File.Exists(file) || File.ReadAllText(file) != text)
            {
                File.WriteAllText(file, text);
            }

            return;
        }
    }
}
