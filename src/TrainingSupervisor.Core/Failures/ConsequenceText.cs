using System.Text.RegularExpressions;

namespace TrainingSupervisor;

/// <summary>What workers print when a peer has died under them: the words of collective libraries and sockets.</summary>
internal static partial class ConsequenceText
{
    /// <summary>Whether the last error that a worker printed, or else anything that it printed, speaks of its peers.</summary>
    public static bool IsIn(string stderr, string evidence)
    {
        var error = LastError(stderr);
        if (OfItsOwn().IsMatch(error)) return false;
        if (OfPeers().IsMatch(error)) return true;
        // An error with other words is the worker's own, whatever its libraries have to say when it goes.
        if (IsError().IsMatch(error)) return false;
        var text = stderr.Length > 0 ? string.Join('\n', Lines(stderr)) : evidence;
        return !OfItsOwn().IsMatch(text) && OfPeers().IsMatch(text);
    }

    /// <summary>Whether the error that it printed is one of its own device: hardly ever a consequence.</summary>
    public static bool IsOfItsOwnDevice(string stderr) => OfItsOwn().IsMatch(LastError(stderr)) || (!OfPeers().IsMatch(stderr) && OfItsOwn().IsMatch(stderr));

    /// <summary>
    /// The last line that names an error, else the last line; empty if there is none. Of errors that came of one another, the one that was first.
    /// </summary>
    public static string LastError(string stderr)
    {
        var last = "";
        string? error = null;
        var isWhat = false;
        foreach (var line in Lines(stderr))
        {
            if (line.StartsWith("at ", StringComparison.Ordinal)) continue;
            if (Chain().IsMatch(line) && last.Length > 0) return error ?? last;
            last = line;
            // C++ says in the next line what it has thrown.
            if (IsError().IsMatch(line) || (isWhat && line.StartsWith("what():", StringComparison.Ordinal))) error = isWhat ? $"{error} {line}" : line;
            isWhat = line.StartsWith("terminate called", StringComparison.Ordinal);
        }

        return error ?? last;
    }

    /// <summary>Without numbers, addresses and quoted names.</summary>
    public static string Normal(string line) => Varying().Replace(line, "#");

    private static IEnumerable<string> Lines(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(l => !Noise().IsMatch(l));

    /// <summary>How Python says that one error led to another.</summary>
    [GeneratedRegex("^(During handling of the above exception|The above exception was the direct cause)")]
    private static partial Regex Chain();

    /// <summary>What is said at any end, whoever is to blame.</summary>
    [GeneratedRegex("has NOT been destroyed|destroy_process_group|UserWarning|resource_tracker|^\\s*warnings\\.warn|^E\\d{4} .*cuda_dnn|Sending process \\d+ closing signal", RegexOptions.IgnoreCase)]
    private static partial Regex Noise();

    [GeneratedRegex("^(\\[[^\\]]*\\]:?\\s*)*([A-Za-z_][\\w.:]*(Error|Exception|Interrupt)\\b|terminate called|FATAL|F\\d{4} |Fatal|panic:|Segmentation fault|what\\(\\):)")]
    private static partial Regex IsError();

    [GeneratedRegex("CUDA (error|failure)|CUDA out of memory|OutOfMemoryError|illegal memory access|device-side assert|uncorrectable|\\bXid\\b|\\bECC\\b|CUBLAS_STATUS|CUDNN_STATUS|hipError|HSA_STATUS|GPU has fallen off", RegexOptions.IgnoreCase)]
    private static partial Regex OfItsOwn();

    [GeneratedRegex(
        "connection (was |is )?(likely )?(reset|closed|refused|aborted|lost|timed out)|Connection(Reset|Refused|Aborted|Closed)|broken ?pipe|socket (was )?closed|closed by (remote )?(peer|host)"
        + "|(lost|lose|losing) (connection|peer|contact)|peer (process|has|is|was|disconnected|unreachable|gone|closed)|remote (process|rank|host|error)|ncclRemoteError|ncclSystemError|ncclInternalError"
        + "|NCCL (error|WARN|timeout|communicator was aborted)|socketStartConnect|socketProgress|ibv_poll_cq|ncclCommAbort|DistBackendError|DistStoreError|DistNetworkError|ProcessGroup\\w*"
        + "|watchdog|collective operation|gloo|TCPStore|rendezvous|barrier (has )?timed out|timed out (after|while|in) .*(peer|rank|collective|barrier|all_?reduce)|timed out waiting"
        + "|HorovodInternalError|heartbeat|DEADLINE_EXCEEDED|UNAVAILABLE:|distributed service|coordination (service|agent)|tasks? (are|is) unhealthy|MPI_(Abort|ERR)|MPI communication|mpirun (noticed|detected)"
        + "|signal:? (15|SIGTERM|Terminated)|received SIGTERM|SignalException|no route to host|network is unreachable|end of file on (peer|socket)|failed to recv|recv(, | )got 0 bytes|unexpected EOF",
        RegexOptions.IgnoreCase)]
    private static partial Regex OfPeers();

    [GeneratedRegex("0x[0-9a-fA-F]+|\\d+(\\.\\d+)*|'[^']*'|\"[^\"]*\"")]
    private static partial Regex Varying();
}
