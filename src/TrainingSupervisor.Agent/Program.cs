using System.Collections;
using System.Runtime.InteropServices;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent;

/// <summary>The entry point: reads the command line and the environment, and runs the agent.</summary>
internal static class Program
{
    private const int Usage = 64;

    private static async Task<int> Main(string[] args)
    {
        if (args is ["version"])
        {
            Log.Print($"gang-agent {typeof(Program).Assembly.GetName().Version?.ToString(3)}");
            return 0;
        }

        if (args is not ["run", "--", _, ..])
            return Fail("usage: gang-agent run -- <command> [args...] | gang-agent version");
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
            return Fail($"GANG_DIR {options.Directory} cannot be used: {e.Message}");
        }

        using var runner = new AgentRunner(options, args[2..], environment, TimeProvider.System);
        int[] signals = [Libc.SigTerm, Libc.SigInt, Libc.SigHup, Libc.SigUsr1, Libc.SigUsr2];
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

    private static int Fail(string problem)
    {
        Log.Write(problem);
        return Usage;
    }
}
