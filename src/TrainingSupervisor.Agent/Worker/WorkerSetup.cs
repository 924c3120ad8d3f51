using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>The files and variables that a worker is given at its release (docs/worker-contract.md).</summary>
internal static class WorkerSetup
{
    internal static string ProgressFile(AgentOptions options) => Path.Combine(options.Directory, "progress");

    internal static string ProgressSocket(AgentOptions options) => Path.Combine(options.Directory, "progress.sock");

    internal static string RosterFile(AgentOptions options) => Path.Combine(options.Directory, "roster.json");

    internal static string HostsFile(AgentOptions options) => Path.Combine(options.Directory, "hosts");

    internal static string EnvironmentFile(AgentOptions options) => Path.Combine(options.Directory, "env");

    /// <summary>For a worker that this program does not start: its variables, for a shell to read.</summary>
    internal static void WriteEnvironment(AgentOptions options, IReadOnlyDictionary<string, string> variables)
    {
        var lines = variables.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => $"export {v.Key}='{v.Value.Replace("'", "'\\''", StringComparison.Ordinal)}'\n");
        WholeFile.Write(EnvironmentFile(options), Encoding.UTF8.GetBytes(string.Concat(lines)));
    }

    internal static void WriteFiles(AgentOptions options, Roster roster, ReadOnlyMemory<byte> rosterJson)
    {
        WholeFile.Write(RosterFile(options), rosterJson.Span);
        var hosts = string.Concat(roster.Workers.OrderBy(w => w.Rank).Select(w => $"{w.Address} {w.Worker}\n"));
        WholeFile.Write(HostsFile(options), Encoding.UTF8.GetBytes(hosts));
    }

    internal static Dictionary<string, string> Environment(
        AgentOptions options, Roster roster, int rank, IEnumerable<KeyValuePair<string, string>> inherited)
    {
        var own = roster.Workers.First(w => w.Rank == rank);
        var first = roster.Workers.First(w => w.Rank == 0);
        var variables = new Dictionary<string, string>(inherited, StringComparer.Ordinal)
        {
            ["GANG_NAME"] = options.Gang,
            ["GANG_NAMESPACE"] = options.Namespace,
            ["GANG_ATTEMPT"] = Text(roster.Attempt),
            ["GANG_WORKER"] = own.Worker,
            ["GANG_ROLE"] = own.Role,
            ["GANG_ROLE_INDEX"] = Text(own.Index),
            ["GANG_ROLE_SIZE"] = Text(roster.Workers.Count(w => w.Role == own.Role)),
            ["RANK"] = Text(rank),
            ["WORLD_SIZE"] = Text(roster.WorldSize > 0 ? roster.WorldSize : roster.Workers.Count),
            ["LOCAL_RANK"] = "0",
            ["LOCAL_WORLD_SIZE"] = "1",
            ["GROUP_RANK"] = Text(rank),
            ["MASTER_ADDR"] = first.Address,
            ["MASTER_PORT"] = Text(roster.MasterPort > 0 ? roster.MasterPort : options.MasterPort),
            ["TORCHELASTIC_RESTART_COUNT"] = Text(roster.Attempt - 1),
            ["TORCHELASTIC_RUN_ID"] = options.Gang,
            ["GANG_ADDRESS"] = own.Address,
            ["GANG_DIR"] = options.Directory,
            ["GANG_ROSTER_FILE"] = RosterFile(options),
            ["GANG_HOSTS_FILE"] = HostsFile(options),
            ["GANG_PROGRESS_FILE"] = ProgressFile(options),
            ["GANG_PROGRESS_SOCKET"] = ProgressSocket(options),
        };
        variables.Remove("GANG_AGENT_SECRET_DIR"); // The gang's token is none of the worker's business.
        return variables;
    }

    /// <summary>The same for a command beside the worker, with the worker's process id if it runs.</summary>
    internal static Dictionary<string, string> Beside(IReadOnlyDictionary<string, string> variables, int? worker)
    {
        var beside = new Dictionary<string, string>(variables, StringComparer.Ordinal);
        beside.Remove("GANG_AGENT_SECRET_DIR");
        if (worker is { } pid)
            beside["GANG_WORKER_PID"] = Text(pid);
        return beside;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
