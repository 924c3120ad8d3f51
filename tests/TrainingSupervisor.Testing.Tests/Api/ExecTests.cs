using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Api;

/// <summary>Commands in containers, with the client that users have, over TLS.</summary>
public sealed class ExecTests : ApiTest
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    protected override EmbeddedClusterOptions Options => new() { NodeCount = 1 };

    [Fact]
    public async Task Exec_Command_RunsInTheContainersEnvironment()
    {
        await RunAsync(Worker("a"));
        var (code, output, error) = await ExecAsync("a", "sh", "-c", "echo $COLOUR; cat $FILES/note /files/note; pwd; echo oops >&2; exit 7");

        Assert.Equal(7, code);
        Assert.Equal("red\nhello\nhello\n/tmp\n", output);
        Assert.Equal("oops\n", error);
    }

    [Fact]
    public async Task Exec_KillOfAWorkersProcess_EndsThatProcess()
    {
        await RunAsync(Worker("a"));
        var (code, _, error) = await ExecAsync("a", "sh", "-c", "kill -9 $(cat $FILES/pid)");
        var pod = await UntilAsync("a", p => p.Status.ContainerStatuses[0].State.Terminated is not null);

        Assert.Equal((0, ""), (code, error));
        Assert.Equal(137, pod.Status.ContainerStatuses[0].State.Terminated.ExitCode);
    }

    [Fact]
    public async Task Exec_Input_ReachesTheCommand()
    {
        await RunAsync(Worker("a"));
        using var socket = await Client.WebSocketNamespacedPodExecAsync("a", "default", ["head", "-n", "2"], "main", stderr: true, stdin: true, stdout: true, tty: false, webSocketSubProtocol: WebSocketProtocol.V4BinaryWebsocketProtocol);
        using var demuxer = new StreamDemuxer(socket);
        demuxer.Start();
        await using var stream = demuxer.GetStream(1, 0);
        await stream.WriteAsync("one\ntwo\n"u8.ToArray());
        using var reader = new StreamReader(stream);

        Assert.Equal("one\ntwo\n", await reader.ReadToEndAsync().WaitAsync(s_patience));
    }

    [Fact]
    public async Task Exec_MuchOutput_ArrivesWhole()
    {
        await RunAsync(Worker("a"));
        var (code, output, _) = await ExecAsync("a", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x");

        Assert.Equal((0, 3_000_000), (code, output.Length));
    }

    [Fact]
    public async Task Exec_ClientGoes_CommandIsKilled()
    {
        await RunAsync(Worker("a"));
        var before = Cluster.FindProcesses("a", "main").Count;
        var socket = await Client.WebSocketNamespacedPodExecAsync("a", "default", ["sh", "-c", "sleep 1000; true"], "main", webSocketSubProtocol: WebSocketProtocol.V4BinaryWebsocketProtocol);
        await ForAsync(() => Cluster.FindProcesses("a", "main").Count >= before + 2);
        socket.Abort();
        socket.Dispose();

        await ForAsync(() => Cluster.FindProcesses("a", "main").Count == before);
        Assert.NotNull(Cluster.GetContainerProcessId("a", "main"));
    }

    [Fact]
    public async Task Exec_ContainerEnds_CommandEndsWithIt()
    {
        await RunAsync(Worker("a"));
        var running = ExecAsync("a", "sleep", "1000");
        await ForAsync(() => Cluster.FindProcesses("a", "main").Count >= 2);
        await ExecAsync("a", "sh", "-c", "kill -9 $(cat $FILES/pid)");

        Assert.Equal(137, (await running.WaitAsync(s_patience)).Code);
    }

    [Fact]
    public async Task Exec_NoSuchProgram_IsToldInTheStatus()
    {
        await RunAsync(Worker("a"));
        var failure = await Assert.ThrowsAsync<KubernetesException>(() => ExecAsync("a", "no-such-program"));

        Assert.Contains("exec: \"no-such-program\": executable file not found in $PATH", failure.Status.Message, StringComparison.Ordinal);
        Assert.Equal(("InternalError", 500), (failure.Status.Reason, failure.Status.Code));
    }

    [Theory]
    [InlineData("a", "container=main&command=true&stdout=1", 400, "Upgrade request required")]
    [InlineData("a", "container=other&command=true&stdout=1", 400, "container other is not valid for pod a")]
    [InlineData("a", "container=main&command=true", 400, "you must specify at least 1 of stdin, stdout, stderr")]
    [InlineData("nobody", "container=main&command=true&stdout=1", 404, "pods \"nobody\" not found")]
    [InlineData("waits", "command=true&stdout=1", 400, "pod waits does not have a host assigned")]
    [InlineData("two", "command=true&stdout=1", 400, "a container name must be specified for pod two, choose one of: [x y]")]
    public async Task Exec_WrongRequest_IsRefusedInKubernetesWords(string pod, string query, int code, string message)
    {
        await RunAsync(Worker("a"));
        var waits = Pod("waits");
        waits.Spec.SchedulerName = "none";
        await Client.CoreV1.CreateNamespacedPodAsync(waits, "default");
        var two = Pod("two");
        two.Spec.SchedulerName = "none";
        two.Spec.Containers = [new() { Name = "x", Image = "test" }, new() { Name = "y", Image = "test" }];
        await Client.CoreV1.CreateNamespacedPodAsync(two, "default");
        var (status, body) = await SendAsync("GET", $"/api/v1/namespaces/default/pods/{pod}/exec?{query}");

        Assert.Equal((code, message), (status, body.Text("message")));
    }

    [Theory]
    [InlineData("v4.channel.k8s.io")]
    [InlineData("v5.channel.k8s.io")]
    public async Task Exec_PodHasEnded_SaysThatTheContainerIsNotFound(string protocol)
    {
        var pod = Worker("a");
        pod.Spec.Containers[0].Command = ["true"];
        await Client.CoreV1.CreateNamespacedPodAsync(pod, "default");
        await UntilAsync("a", p => p.Status.Phase == "Succeeded");
        using var socket = Socket(protocol);
        var uri = new UriBuilder(new Uri(Cluster.Address, "/api/v1/namespaces/default/pods/a/exec?command=true&stdout=1")) { Scheme = "wss" }.Uri;

        if (protocol == "v4.channel.k8s.io")
        {
            await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(uri, CancellationToken.None));
            Assert.Equal(HttpStatusCode.InternalServerError, socket.HttpStatusCode);
            return;
        }

        await socket.ConnectAsync(uri, CancellationToken.None);
        var status = JsonNode.Parse(await LastAsync(socket))!.AsObject();
        Assert.Equal((500, "Internal error occurred: unable to upgrade connection: container not found (\"main\")"), (status.Number("code"), status.Text("message")));
    }

    [Theory]
    [InlineData("get", false)]
    [InlineData("create", false)]
    [InlineData("get,create", true)]
    public async Task Exec_Permissions_BothVerbsAreNeeded(string verbs, bool allowed)
    {
        await RunAsync(Worker("a"));
        using var client = Cluster.CreateClient(Cluster.CreateToken("someone", new AccessRule(verbs.Split(','), ["pods/exec"])));
        var exec = client.NamespacedPodExecAsync("a", "default", "main", ["true"], false, (_, _, _) => Task.CompletedTask, CancellationToken.None);

        if (allowed)
        {
            Assert.Equal(0, await exec);
            return;
        }

        var refused = await Assert.ThrowsAsync<WebSocketException>(() => exec);
        Assert.Contains("'403'", refused.Message, StringComparison.Ordinal);
    }

    private static V1Pod Worker(string name)
    {
        var pod = Pod(name);
        pod.Spec.Containers[0].Command = ["sh", "-c", "echo hello > /files/note; echo $$$$ > /files/pid; exec sleep 1000"];
        pod.Spec.Containers[0].WorkingDir = "/tmp";
        pod.Spec.Containers[0].Env = [new() { Name = "COLOUR", Value = "red" }, new() { Name = "FILES", Value = "/files" }];
        pod.Spec.Containers[0].VolumeMounts = [new() { Name = "files", MountPath = "/files" }];
        pod.Spec.Volumes = [new() { Name = "files", EmptyDir = new() }];
        return pod;
    }

    private async Task RunAsync(V1Pod pod)
    {
        await Client.CoreV1.CreateNamespacedPodAsync(pod, "default");
        await UntilAsync(pod.Metadata.Name, p => p.Status.Phase == "Running");
        await ForAsync(() => Directory.EnumerateFiles(Cluster.DataDirectory, "pid", SearchOption.AllDirectories).Any(f => File.ReadAllText(f).EndsWith('\n')));
    }

    private async Task<V1Pod> UntilAsync(string name, Func<V1Pod, bool> condition)
    {
        using var limit = new CancellationTokenSource(s_patience);
        while (true)
        {
            var pod = await Client.CoreV1.ReadNamespacedPodAsync(name, "default", cancellationToken: limit.Token);
            if (condition(pod))
            {
                return pod;
            }

            await Task.Delay(10, limit.Token);
        }
    }

    private static async Task ForAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(s_patience);
        while (!condition())
        {
            await Task.Delay(10, limit.Token);
        }
    }

    private async Task<(int Code, string Output, string Error)> ExecAsync(string pod, params string[] command)
    {
        var (output, error) = ("", "");
        var code = await Client.NamespacedPodExecAsync(pod, "default", "main", command, false, async (_, stdout, stderr) =>
        {
            using var outReader = new StreamReader(stdout);
            using var errorReader = new StreamReader(stderr);
            var both = await Task.WhenAll(outReader.ReadToEndAsync(), errorReader.ReadToEndAsync());
            (output, error) = (both[0], both[1]);
        }, CancellationToken.None).WaitAsync(s_patience);
        return (code, output, error);
    }

    private ClientWebSocket Socket(string protocol)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", Http.DefaultRequestHeaders.Authorization!.ToString());
        socket.Options.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null;
        socket.Options.AddSubProtocol(protocol);
        socket.Options.CollectHttpResponseDetails = true;
        return socket;
    }

    private static async Task<string> LastAsync(ClientWebSocket socket)
    {
        using var limit = new CancellationTokenSource(s_patience);
        var buffer = new byte[4096];
        var last = "";
        while (await socket.ReceiveAsync(buffer, limit.Token) is { MessageType: not WebSocketMessageType.Close } message)
        {
            last = Encoding.UTF8.GetString(buffer, 1, message.Count - 1);
        }

        return last;
    }
}
