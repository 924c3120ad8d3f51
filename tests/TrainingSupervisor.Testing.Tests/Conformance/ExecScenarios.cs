using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>The recorded WebSockets of exec: the same requests and frames, and what came back on each channel.</summary>
internal static partial class ExecScenarios
{
    public static IEnumerable<Scenario> All() => [new("Exec", "exec-websocket", PlayAsync)];

    private static async Task<IReadOnlyList<string>> PlayAsync(CancellationToken ct)
    {
        await using var stage = await Stage.StartAsync();
        await stage.WatchAsync("/api/v1/namespaces/default/pods");
        await stage.CreateAsync(new()
        {
            ["metadata"] = new JsonObject { ["name"] = "exec-pod" },
            ["spec"] = new JsonObject
            {
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "test", ["command"] = new JsonArray("sleep", "1000") }),
            },
        });
        Assert.True(await stage.LastIsAsync("exec-pod", (_, pod) => pod.At("status").Text("phase") == "Running"));
        var differences = new List<string>();
        foreach (var recorded in Recording.Lines("Exec", "exec-websocket"))
        {
            var frames = recorded.Items("frames")!.OfType<JsonObject>().ToList();
            var head = frames[0].Text("request")!;
            using var socket = new ClientWebSocket();
            socket.Options.SetRequestHeader("Authorization", stage.Client.DefaultRequestHeaders.Authorization!.ToString());
            socket.Options.AddSubProtocol(Line(head, "Sec-WebSocket-Protocol: "));
            var path = head.Split(' ')[1];
            await socket.ConnectAsync(new UriBuilder(new Uri(stage.Cluster.Address, path)) { Scheme = "ws" }.Uri, ct);
            foreach (var sent in frames.Where(f => f["send"] is not null))
            {
                await socket.SendAsync(Convert.FromHexString(sent.Text("hex")!), WebSocketMessageType.Binary, true, ct);
            }

            var theirs = frames.Where(f => f["recv"] is not null).Select(f => f.Number("recv") == 8
                ? $"close {f.Text("hex")}"
                : $"{f.Number("channel")}: {Steady(f.Text("text")!)}").Prepend(Line(frames[0].Text("responseHead")!, "Sec-WebSocket-Protocol: ")).ToList();
            var ours = (await ReadAsync(socket, ct)).Prepend(socket.SubProtocol!).ToList();
            if (!theirs.SequenceEqual(ours))
            {
                differences.Add($"{recorded.Text("case")}: recorded:\n    {string.Join("\n    ", theirs)}\nhere:\n    {string.Join("\n    ", ours)}");
            }
        }

        return differences;
    }

    private static async Task<List<string>> ReadAsync(ClientWebSocket socket, CancellationToken ct)
    {
        var lines = new List<string>();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var message = await socket.ReceiveAsync(buffer, ct);
            if (message.MessageType == WebSocketMessageType.Close)
            {
                lines.Add($"close {(int)message.CloseStatus!:x4}");
                return lines;
            }

            Assert.True(message is { EndOfMessage: true, MessageType: WebSocketMessageType.Binary, Count: > 0 });
            lines.Add($"{buffer[0]}: {Steady(Encoding.UTF8.GetString(buffer, 1, message.Count - 1))}");
        }
    }

    private static string Line(string head, string name) =>
        head.Split("\r\n").Single(l => l.StartsWith(name, StringComparison.Ordinal))[name.Length..];

    /// <summary>Messages name the random identity of the exec.</summary>
    private static string Steady(string text) => Identity().Replace(text, "ID");

    [GeneratedRegex("[0-9a-f]{60,64}")]
    private static partial Regex Identity();
}
