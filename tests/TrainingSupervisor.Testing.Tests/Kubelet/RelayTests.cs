using System.Net;
using System.Net.Sockets;
using TrainingSupervisor.Testing.Storage;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class RelayTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly KubeletFixture _cluster = new(null, null, ("a", null), ("b", null));
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly Dictionary<string, FileStream> _pipes = [];
    private NetworkRelay _relay = null!;

    public Task InitializeAsync()
    {
        _server.Start();
        _relay = new(_cluster.Plane, (IPEndPoint)_server.LocalEndpoint);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _relay.DisposeAsync();
    }

    public void Dispose()
    {
        _server.Dispose();
        foreach (var pipe in _pipes.Values)
        {
            pipe.Dispose();
        }
    }

    [Fact]
    public async Task Partition_OneNode_HoldsItsPodsAndNoOthers()
    {
        var (a, b) = (await ConnectAsync("a"), await ConnectAsync("b"));
        var nodes = new EmbeddedNodes(_cluster.Plane);
        await nodes["a"].PartitionAsync();

        Send("a", "lost?");
        Send("b", "hello");
        Assert.Equal("hello", await ReadLineAsync(b));
        Assert.False(a.Client.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectRead));

        await nodes["a"].HealAsync();
        Assert.Equal("lost?", await ReadLineAsync(a));
    }

    [Fact]
    public async Task Partition_NewConnection_HangsUntilHealed()
    {
        var node = new EmbeddedNodes(_cluster.Plane)["a"];
        await CreateAsync("a");
        await node.PartitionAsync();
        Send("a", "late");
        await UntilAsync(() => _relay.OpenConnections == 1);

        // What comes later from elsewhere is there first.
        using var other = await ConnectAsync("b");
        Assert.False(_server.Pending());

        await node.HealAsync();
        using var client = await _server.AcceptTcpClientAsync().WaitAsync(s_patience);
        Assert.Equal("late", await ReadLineAsync(client));
    }

    [Fact]
    public async Task Fail_Node_TheOtherEndSeesNothing()
    {
        var (a, b) = (await ConnectAsync("a"), await ConnectAsync("b"));
        var node = new EmbeddedNodes(_cluster.Plane)["a"];
        await node.FailAsync();

        // The end of another connection, which comes later, is seen.
        _cluster.Plane.Container("default", "b", "main").Current!.Signal(Runtime.Libc.SigKill);
        Assert.Null(await ReadLineAsync(b));
        Assert.False(a.Client.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectRead));

        await node.RecoverAsync();
        Assert.Null(await ReadLineAsync(a));
    }

    [Fact]
    public async Task Cut_All_HoldsEverythingUntilRestored()
    {
        var b = await ConnectAsync("b");
        _relay.Cut();
        Send("b", "held");
        Assert.False(b.Client.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectRead));
        _relay.Restore();
        Assert.Equal("held", await ReadLineAsync(b));
    }

    private string Pipe(string node) => Path.Combine(_cluster.Plane.Context.DataDirectory, "pipe-" + node);

    /// <summary>A Pod that opens a connection when it gets its first line to send.</summary>
    private async Task CreateAsync(string node)
    {
        using var mkfifo = System.Diagnostics.Process.Start("mkfifo", Pipe(node));
        await mkfifo.WaitForExitAsync();

        // Opened for both ways it does not wait for the reader, and kept open it keeps what the reader has not read yet.
        _pipes[node] = new(Pipe(node), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0);
        var script = $"exec 4<>{Pipe(node)}; read -r line <&4; exec 3<>/dev/tcp/127.0.0.1/{_relay.EndPoint.Port}; echo $line >&3; while read -r line <&4; do echo $line >&3; done";
        _cluster.Create(node, [new() { ["name"] = "main", ["image"] = "x", ["command"] = new System.Text.Json.Nodes.JsonArray("/bin/bash", "-c", script) }],
            spec: $"\"nodeSelector\":{{\"kubernetes.io/hostname\":\"{node}\"}}");
        await _cluster.WaitForReadyAsync(node);
    }

    private async Task<TcpClient> ConnectAsync(string node)
    {
        await CreateAsync(node);
        Send(node, "first");
        var client = await _server.AcceptTcpClientAsync().WaitAsync(s_patience);
        Assert.Equal("first", await ReadLineAsync(client));
        return client;
    }

    private void Send(string node, string line)
    {
        _pipes[node].Write(System.Text.Encoding.ASCII.GetBytes(line + "\n"));
    }

    private static async Task<string?> ReadLineAsync(TcpClient client)
    {
        var line = new List<byte>();
        var one = new byte[1];
        while (await client.GetStream().ReadAsync(one).AsTask().WaitAsync(s_patience) == 1 && one[0] != '\n')
        {
            line.Add(one[0]);
        }

        return line.Count == 0 ? null : System.Text.Encoding.ASCII.GetString([.. line]);
    }
}
