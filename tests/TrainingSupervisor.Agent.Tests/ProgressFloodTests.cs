using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using TrainingSupervisor.Agent.Progress;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>Workers that say too much, or nonsense.</summary>
public sealed class ProgressFloodTests : AgentTest
{
    [Fact]
    public void Accept_NonsenseOfEveryKind_IsOneLogLineAndNoProgress()
    {
        List<string> logged = [];
        var tracker = new ProgressTracker(logged.Add);
        tracker.Reset(1);
        string[] nonsense =
        [
            "step -1", "step", "step 1.5", "step 1e3", "step 99999999999999999999", "step 0x10", "step 1 2 3", "step 1 -2", "checkpoint -1", "checkpoint", "phase", "phase  ",
            "healthy now", "STEP 1", "\u0000\u001b[2J", "\ufffd\ufffd", new string('x', 5000),
        ];

        foreach (var line in nonsense)
            Assert.Equal(ProgressLine.Ignored, tracker.Accept(line));

        Assert.Single(logged);
        Assert.False(tracker.SaidAnything);
        Assert.Equal((-1L, -1L, "", ""), (tracker.Snapshot().Step, tracker.Snapshot().Checkpoint, tracker.Snapshot().Phase, tracker.Snapshot().Unhealthy));
        tracker.Accept("phase load");
        Assert.Equal(-1, tracker.Snapshot().Step);
    }

    [Fact]
    public void Append_AnEndlessLine_KeepsLittleOfItAndGoesOnAfterIt()
    {
        var buffer = new LineBuffer();
        var part = Encoding.UTF8.GetBytes(new string('x', 100_000));
        for (var i = 0; i < 1000; i++)
            Assert.Empty(buffer.Append(part));

        var lines = buffer.Append("\nstep 4\n"u8);

        Assert.Equal([new string('x', LineBuffer.Kept) + LineBuffer.Cut, "step 4"], lines);
    }

    [Fact]
    public void Read_OfAFloodedFile_TakesABoundedShareAndTheLastLookTheEnd()
    {
        var path = Path.Combine(Root, "progress");
        var tail = new ProgressFileTail(path);
        tail.Truncate();
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, 1_000_000).Select(i => $"step {i}\n")));

        var first = tail.Read();
        var last = tail.Read(last: true);

        Assert.Equal("step 0", first[0]);
        Assert.InRange(first.Sum(l => l.Length + 1), ProgressFileTail.MostPerLook - 32, ProgressFileTail.MostPerLook);
        Assert.Equal("step 999999", last[^1]);
        Assert.InRange(last.Sum(l => l.Length + 1), ProgressFileTail.MostPerLook - 32, ProgressFileTail.MostPerLook);
        Assert.All(last, l => Assert.StartsWith("step 9", l, StringComparison.Ordinal));
        Assert.Empty(tail.Read());
    }

    [Fact]
    public async Task Read_OfAPipeInTheFilesPlace_DoesNotHang()
    {
        var path = Path.Combine(Root, "progress");
        var tail = new ProgressFileTail(path);
        tail.Truncate();
        await File.AppendAllTextAsync(path, "step 1\n");
        Assert.Equal(["step 1"], tail.Read());
        File.Delete(path);
        Assert.Empty(tail.Read());
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [path])) await mkfifo.WaitForExitAsync();

        Assert.Empty(await Task.Run(() => tail.Read()).WaitAsync(Limit));
    }

    [Fact]
    public async Task Socket_FloodedFasterThanItIsTakenIn_HoldsTheWriterBack()
    {
        var path = Path.Combine(Root, "p.sock");
        using var stop = new CancellationTokenSource();
        var gate = new TaskCompletionSource();
        var seen = new ConcurrentQueue<string>();
        var socket = new ProgressSocket(path, shared: false, async lines =>
        {
            await gate.Task;
            foreach (var line in lines) seen.Enqueue(line);
        });
        var running = socket.RunAsync(stop.Token);
        await UntilAsync(() => File.Exists(path), "the socket");
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        var block = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("step 1\n", 10_000)));
        client.Blocking = false;
        long written = 0;

        // Nobody takes anything in: what goes in is what the kernel's buffer holds, and no more.
        var idle = 0;
        while (idle < 50 && written < 100_000_000)
        {
            try
            {
                written += client.Send(block);
                idle = 0;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
            {
                idle++;
                await Task.Delay(2);
            }
        }

        Assert.InRange(written, 1, 2_000_000);
        gate.SetResult();
        client.Dispose();
        await socket.DrainAsync(Limit);
        Assert.Equal(written / 7, seen.Count(l => l == "step 1"));
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Socket_WithLinesOfManyClientsStillUnread_DrainsThemAll()
    {
        var path = Path.Combine(Root, "p.sock");
        using var stop = new CancellationTokenSource();
        var seen = new ConcurrentQueue<string>();
        var socket = new ProgressSocket(path, shared: false, async lines =>
        {
            await Task.Delay(5);
            foreach (var line in lines) seen.Enqueue(line);
        });
        var running = socket.RunAsync(stop.Token);
        await UntilAsync(() => File.Exists(path), "the socket");

        for (var i = 0; i < 40; i++)
        {
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            client.Connect(new UnixDomainSocketEndPoint(path));
            client.Send(Encoding.UTF8.GetBytes($"checkpoint {i}\n"));
        }

        await socket.DrainAsync(Limit);

        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"checkpoint {i}").Order(), seen.Order());
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Run_WithAWorkerThatFloods_GoesOnWithBoundedMemoryAndOneLine()
    {
        var agent = await RunAsync("""
            head -c 20000000 /dev/urandom >> $GANG_PROGRESS_FILE
            head -c 30000000 /dev/zero | tr '\0' x >> $GANG_PROGRESS_FILE
            printf '\nstep -5\nunhealthy %s\nhealthy\nstep 7\n' xxxxx >> $GANG_PROGRESS_FILE
            while :; do sleep 0.1; done
            """);

        Assert.Equal(7, (await Gateway.NextAsync(m => m.Progress?.Step == 7)).Progress.Step);

        Assert.InRange(agent.Memory, 1, 300_000_000);
        await UntilAsync(() => agent.Lines.Any(l => l.Contains("progress", StringComparison.Ordinal)), "the complaint in the log");
        var line = Assert.Single(agent.Lines, l => l.Contains("progress", StringComparison.Ordinal));
        Assert.DoesNotContain(line, char.IsControl);
        await Gateway.SayAsync(Messages.Restart(2));
        await Gateway.NextStateAsync(Protocol.AgentState.Types.Phase.Waiting);
    }
}
