using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>The published program itself, against a gateway on loopback.</summary>
#pragma warning disable CA1001 // Disposed asynchronously, by xunit.
public abstract class AgentTest : IAsyncLifetime
{
    /// <summary>Generous: the tests wait for conditions, and only a broken product makes them wait this long.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    internal static readonly string Program = Path.Combine(Metadata("AgentDirectory"), "gang-agent");

    private readonly List<RunningAgent> _started = [];

    internal string Root { get; } = Directory.CreateTempSubdirectory("agent").FullName;

    internal string GangDirectory => Path.Combine(Root, "gang");

    internal string SecretDirectory => Path.Combine(Root, "secret");

    internal TestGateway Gateway { get; } = new();

    public virtual async Task InitializeAsync()
    {
        await Gateway.StartAsync();
        await TestGateway.WriteSecretAsync(SecretDirectory, Gateway);
    }

    public virtual async Task DisposeAsync()
    {
        foreach (var agent in _started)
            agent.Dispose();
        await Gateway.DisposeAsync();
        Directory.Delete(Root, recursive: true);
    }

    internal static string Metadata(string key) =>
        typeof(AgentTest).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;

    internal static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!condition())
        {
            if (limit.IsCancellationRequested) throw new TimeoutException(what);
            await Task.Delay(5);
        }
    }

    internal static bool Lives(string pid) =>
        // A zombie has ended, though nobody has asked for it yet.
        File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/status").Contains("State:\tZ", StringComparison.Ordinal);

    internal Dictionary<string, string> Variables() => new()
    {
        ["GANG_NAME"] = "llm", ["GANG_NAMESPACE"] = "default", ["GANG_ROLE"] = "trainer", ["POD_NAME"] = "pod", ["POD_UID"] = "uid",
        ["POD_IP"] = "127.0.0.1", ["NODE_NAME"] = "node", ["GANG_AGENT_SECRET_DIR"] = SecretDirectory,
        ["GANG_DIR"] = GangDirectory, ["GANG_LIVENESS_URL"] = "http://127.0.0.1:1/livez",
    };

    internal RunningAgent Start(params string[] command) => Start(command, null);

    internal RunningAgent Start(string[] command, Action<Dictionary<string, string>>? change, string[]? wrapper = null)
    {
        // A shell's background jobs ignore SIGINT, and so does all that they start: the tests may be one of these, a container's process 1 never is.
        return StartProgram(["env", "--default-signal=INT", .. wrapper ?? [], Program, "run", "--", .. command], change);
    }

    internal RunningAgent StartProgram(string[] all, Action<Dictionary<string, string>>? change = null)
    {
        var info = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardError = true };
        var variables = Variables();
        change?.Invoke(variables);
        foreach (var (name, value) in variables)
            info.Environment[name] = value;
        var agent = new RunningAgent(info);
        _started.Add(agent);
        return agent;
    }

    /// <summary>Starts it, hears its hello and releases it for attempt 1.</summary>
    internal async Task<RunningAgent> RunAsync(string script)
    {
        var agent = Start("sh", "-c", script);
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Messages.Release(1));
        return agent;
    }
}

/// <summary>A started agent and what it writes to its stderr.</summary>
internal sealed class RunningAgent : IDisposable
{
    private readonly Process _process;
    private bool _disposed;

    internal RunningAgent(ProcessStartInfo info)
    {
        _process = new Process { StartInfo = info };
        _process.ErrorDataReceived += (_, e) =>
        {
            if (e.Data is { } line) Lines.Enqueue(line);
        };
        _process.Start();
        _process.BeginErrorReadLine();
    }

    internal ConcurrentQueue<string> Lines { get; } = new();

    internal int Id => _process.Id;

    internal long Memory
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    internal async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(AgentTest.Limit);
        return _process.ExitCode;
    }

    internal async Task SignalAsync(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{Id}"]);
        await kill.WaitForExitAsync();
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
