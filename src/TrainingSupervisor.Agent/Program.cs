using System.Collections;
using System.Runtime.InteropServices;
using TrainingSupervisor.Agent.Native;
using TrainingSupervisor.Agent.Sidecar;

namespace TrainingSupervisor.Agent;

/// <summary>The entry point: reads the command line and the environment, and runs the agent.</summary>
internal static class Program
{
    private const int BadUsage = 64, CannotCreate = 73, NotReady = 1;

    private const string Help = """
        gang-agent runs a worker of a training gang: it waits at the gang's barrier, starts the worker, and tells the supervisor how it is.

        usage: gang-agent run -- <command> [args...]   run this command as the worker; made for process 1 of a container
               gang-agent sidecar                      hold the Pod's worker back at the barrier; for a restartable init container
               gang-agent ready                        end with 0 once that has been released; for its startup probe
               gang-agent install <path>               copy this program to <path>
               gang-agent version
               gang-agent --help

        "run" and "sidecar" are told what they need by the environment that the supervisor gives its Pods: GANG_NAME, GANG_NAMESPACE, GANG_ROLE, GANG_DIR,
        GANG_AGENT_SECRET_DIR, POD_NAME, POD_UID, POD_IP, NODE_NAME, and KUBERNETES_SERVICE_HOST and _PORT or GANG_LIVENESS_URL.
        "run" ends with the worker's exit code, with what the supervisor tells it, or with 64 if it is called wrongly.
        """;

    private static readonly TimeSpan LogLimit = TimeSpan.FromMilliseconds(200);

    private static async Task<int> Main(string[] args)
    {
        var code = await DoAsync(args).ConfigureAwait(false);
        Log.Flush(LogLimit);
        return code;
    }

    private static async Task<int> DoAsync(string[] args)
    {
        switch (args)
        {
            case ["version"] or ["--version"]:
                Log.Print($"gang-agent {typeof(Program).Assembly.GetName().Version?.ToString(3)}");
                return 0;
            case ["help"] or ["--help"] or ["-h"] or ["run", "--help"] or ["run", "-h"]:
                Log.Print(Help);
                return 0;
            case ["install", { Length: > 0 } target]:
                return Install.To(target) is { } failed ? Fail(failed, CannotCreate) : 0;
            case ["run", "--", { Length: > 0 }, ..]:
                return await RunAsync(args[2..]).ConfigureAwait(false);
            case ["sidecar"]:
                return await RunAsync(null).ConfigureAwait(false);
            case ["ready"]:
                return ReadyGate.IsOpen(Environment.GetEnvironmentVariable("POD_UID") ?? "") ? 0 : Fail("waiting at the gang's barrier", NotReady);
            case ["run", "--", ..]:
                return Fail("no command after --; usage: gang-agent run -- <command> [args...]");
            default:
                return Fail("usage: gang-agent run -- <command> [args...] | sidecar | ready | install <path> | version | --help");
        }
    }

    private static async Task<int> RunAsync(string[]? command)
    {
        if (!OperatingSystem.IsLinux())
            return Fail("gang-agent runs on Linux only");
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            environment[(string)entry.Key] = (string?)entry.Value ?? "";
        if (AgentOptions.FromEnvironment(environment, out var problem) is not { } options)
            return Fail(problem);
        try
        {
            Directory.CreateDirectory(options.Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // To end here would only make the container come back to the same. The release will be answered with this reason.
            Log.Write($"GANG_DIR {options.Directory} cannot be used: {e.Message}");
        }

        using var runner = new AgentRunner(options, command, environment, TimeProvider.System);
        int[] signals = [Libc.SigTerm, Libc.SigInt, Libc.SigQuit, Libc.SigHup, Libc.SigUsr1, Libc.SigUsr2];
        List<PosixSignalRegistration> registrations = [];
        foreach (var signal in signals)
        {
            registrations.Add(PosixSignalRegistration.Create((PosixSignal)signal, context =>
            {
                context.Cancel = true;
                runner.OnSignal(signal);
            }));
        }

        var code = await runner.RunAsync().ConfigureAwait(false);
        registrations.ForEach(r => r.Dispose());
        return code;
    }

    private static int Fail(string problem, int code = BadUsage)
    {
        Log.Write(problem);
        return code;
    }
}
