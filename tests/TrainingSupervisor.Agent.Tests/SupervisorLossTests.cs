using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>The supervisor goes away, comes back, moves, or is one that has been deposed.</summary>
public sealed class SupervisorLossTests : AgentTest
{
    [Fact]
    public async Task Welcome_OfAnOlderTerm_IsLeftForAnotherSupervisor()
    {
        await using var deposed = new TestGateway { Term = 5 };
        await deposed.StartAsync();
        Gateway.Term = 6;
        await TestGateway.WriteSecretAsync(SecretDirectory, deposed, Gateway);
        Directory.CreateDirectory(GangDirectory);
        await File.WriteAllTextAsync(Path.Combine(GangDirectory, ".agent-state"), "6 3\n");

        var agent = Start("sleep", "60");

        Assert.Equal(6, (await Gateway.HelloAsync()).Term);
        Assert.Single(deposed.Authorizations);
        Assert.Equal(0, deposed.Heartbeats);
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("its term 5 is over", StringComparison.Ordinal)), "the old term in the log");
    }

    [Fact]
    public async Task Welcome_OfALaterTerm_IsRememberedWithoutAnyCommand()
    {
        var agent = Start("sleep", "60");
        await Gateway.HelloAsync();
        await Gateway.CloseAsync();
        Gateway.Term = 7;
        Gateway.Open = true;
        await Gateway.HelloAsync();
        await UntilAsync(() => File.ReadAllText(Path.Combine(GangDirectory, ".agent-state")) == "7 0\n", "the term in the state file");

        await Gateway.CloseAsync();
        Gateway.Term = 1;
        Gateway.Open = true;

        await UntilAsync(() => agent.Lines.Any(l => l.Contains("its term 1 is over", StringComparison.Ordinal)), "the old term left");
    }

    [Fact]
    public async Task Fence_WithNobodyButADeposedSupervisor_EndsTheWorker()
    {
        (Gateway.Term, Gateway.FenceMs) = (6, 3000);
        Start("sh", "-c", "echo $$ > $GANG_DIR/pid; exec sleep 60");
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1, term: 6));
        await Gateway.NextStateAsync(Phase.Running);
        var file = Path.Combine(GangDirectory, "pid");
        await UntilAsync(() => File.Exists(file) && File.ReadAllText(file).EndsWith('\n'), "the worker's pid");
        var pid = (await File.ReadAllTextAsync(file)).Trim();
        var contacts = Gateway.Heartbeats;
        await UntilAsync(() => Gateway.Heartbeats > contacts, "a heartbeat");
        Assert.True(Lives(pid));

        // It answers every heartbeat, and is still nobody.
        await Gateway.CloseAsync();
        Gateway.Term = 5;
        Gateway.Open = true;
        await UntilAsync(() => !Lives(pid), "the worker's end");

        Gateway.Term = 6;
        var exit = (await Gateway.NextAsync(m => m.Hello?.State.Phase == Phase.Exited)).Hello.State.Exit;
        Assert.Equal(137, exit.Code);
        Assert.StartsWith("fenced: ", exit.StderrTail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fence_WhileNobodyReadsTheLog_EndsTheWorker()
    {
        // As on a node whose disk is stuck: the runtime writes no logs, so the pipe is full and stays so.
        var log = Path.Combine(Root, "log");
        await RunToolAsync("mkfifo", log);
        using var held = new FileStream(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0);
        Gateway.FenceMs = 2000;
        Start(["sh", "-c", "echo $$ > $GANG_DIR/pid; exec sleep 600"], null, ["sh", "-c", $"exec \"$@\" 2>{log}", "sh"]);
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));
        await Gateway.NextStateAsync(Phase.Running);
        var file = Path.Combine(GangDirectory, "pid");
        await UntilAsync(() => File.Exists(file) && File.ReadAllText(file).EndsWith('\n'), "the worker's pid");
        await RunToolAsync("dd", "if=/dev/zero", $"of={log}", "oflag=nonblock", "conv=notrunc", "bs=1", "count=2000000", "status=none");

        await Gateway.CloseAsync();

        var pid = (await File.ReadAllTextAsync(file)).Trim();
        await UntilAsync(() => !Lives(pid), "the worker's end");
    }

    [Fact]
    public async Task Fence_WhileTheApiServerAnswers_LetsTheWorkerTrainOnWithoutASupervisor()
    {
        // It answers 401, as an API server does that lets no strangers in: that is a sign of life.
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var asked = 0;
        using var stop = new CancellationTokenSource();
        var answering = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await server.AcceptTcpClientAsync(stop.Token);
                await client.GetStream().ReadAtLeastAsync(new byte[4096], 1, cancellationToken: stop.Token);
                await client.GetStream().WriteAsync("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), stop.Token);
                Interlocked.Increment(ref asked);
            }
        });
        Gateway.FenceMs = 3000;
        Start(["sleep", "60"], v => v["GANG_LIVENESS_URL"] = $"http://{server.LocalEndpoint}/livez");
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));
        await Gateway.NextStateAsync(Phase.Running);

        await Gateway.CloseAsync();
        var watch = Stopwatch.StartNew();
        await UntilAsync(() => asked >= 4 && watch.Elapsed > TimeSpan.FromSeconds(7), "questions over more than two fence periods");
        Gateway.Open = true;

        Assert.Equal(Phase.Running, (await Gateway.HelloAsync()).State.Phase);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answering);
    }

    [Fact]
    public async Task Exit_WhileTheSupervisorIsAway_IsHeldAndThenTold()
    {
        var agent = await RunAsync("while ! test -e $GANG_DIR/go; do sleep 0.02; done; echo last words >&2; exit 5");
        await Gateway.NextStateAsync(Phase.Running);
        await Gateway.CloseAsync();
        await File.WriteAllTextAsync(Path.Combine(GangDirectory, "go"), "");
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("worker ended with code 5", StringComparison.Ordinal)), "the worker's end");

        Gateway.Open = true;
        var hello = await Gateway.HelloAsync();

        Assert.Equal((Phase.Exited, 1, 5, "last words\n"), (hello.State.Phase, hello.State.Attempt, hello.State.Exit.Code, hello.State.Exit.StderrTail));
        await Gateway.SayAsync(Halt(0));
        Assert.Equal(0, await agent.ExitAsync());
    }

    [Fact]
    public async Task Exit_ThatNobodyAsksFor_EndsTheAgentWithItsCodeAfterTheHold()
    {
        var agent = Start(["sh", "-c", "exit 5"], v => v["GANG_EXIT_HOLD_SECONDS"] = "1");
        await Gateway.HelloAsync();
        await Gateway.SayAsync(Release(1));
        await Gateway.NextStateAsync(Phase.Exited);

        await Gateway.CloseAsync();

        Assert.Equal(5, await agent.ExitAsync());
    }

    [Fact]
    public async Task Problems_OfSeveralEndpoints_AreSaidOnceEach()
    {
        await using var second = new TestGateway { Open = false };
        await second.StartAsync();
        await using var gone = new TestGateway();
        await gone.StartAsync();
        await TestGateway.WriteSecretAsync(SecretDirectory, Gateway, gone, second);
        await gone.DisposeAsync();
        Gateway.Open = false;
        var agent = Start("true");
        await UntilAsync(() => second.Refused >= 4 && Gateway.Refused >= 4, "tries at all endpoints");

        Gateway.Open = true;
        await Gateway.HelloAsync();
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("connected to the supervisor", StringComparison.Ordinal)), "the connection said");

        Assert.Equal(["connected", "FailedPrecondition", "Unavailable"], agent.Lines.Select(l => l.Split(": ")[1] is { } what && what.StartsWith("connected", StringComparison.Ordinal)
            ? "connected" : l.Split(": ")[2]).Order(StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Endpoint_ThatMoves_IsFollowed()
    {
        var agent = await RunAsync("sleep 60");
        await Gateway.NextStateAsync(Phase.Running);
        await using var next = new TestGateway { Term = 2 };
        await next.StartAsync();

        await TestGateway.WriteSecretAsync(SecretDirectory, next);
        await Gateway.CloseAsync();
        var hello = await next.HelloAsync();

        Assert.Equal((Phase.Running, 1, 1L), (hello.State.Phase, hello.State.Attempt, hello.Term));
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("connected to the supervisor", StringComparison.Ordinal)), "the connection said");
    }

    private static async Task RunToolAsync(string name, params string[] arguments)
    {
        using var tool = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true })!;
        await tool.StandardError.ReadToEndAsync();
        await tool.WaitForExitAsync();
    }
}
