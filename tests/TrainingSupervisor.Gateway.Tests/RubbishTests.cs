using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Grpc.Core;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class RubbishTests
{
    public static TheoryData<string, string> Kinds => new()
    {
        { "random bytes", "did not speak TLS" },
        { "nothing", "did not speak TLS" },
        { "HTTP/1.1 over TCP", "did not speak TLS" },
        { "HTTP/1.1 over TLS", "made no agent's call" },
        { "random bytes over TLS", "made no agent's call" },
        { "huge hello", "first message is not readable" },
        { "hello of rubbish", "first message is not readable" },
        { "huge message", "what its agent sent is not readable" },
        { "message of rubbish", "what its agent sent is not readable" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Rubbish_OfAnyKind_GivesOneLogLineAndHurtsNobody(string kind, string said)
    {
        await using var gateway = await GatewayFixture.StartAsync();
        await using var gang = gateway.Serve();
        await using var good = await gang.JoinAsync("good");

        // Seeded: the same rubbish every time. Five times, and still one line.
        var random = new Random(7);
        var bytes = new byte[8192];
        for (var i = 0; i < 5; i++)
        {
            random.NextBytes(bytes);
            bytes[0] = 0xff;
            await DoAsync(kind, gang, bytes);
        }

        await Limits.UntilAsync(() => gateway.Log.Warnings.Any(), "a log line");
        await good.BeatAsync(1);
        gang.Agents.Restart(new RestartWorker("good", "uid-good", 2, false, TimeSpan.Zero, "x"));
        await good.NextAsync(SupervisorMessage.KindOneofCase.Restart);
        await using var late = await gang.JoinAsync("late");
        Assert.Contains(said, Assert.Single(gateway.Log.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain(gang.Sink.All, x => x is AgentGone { Pod: "good" });
    }

    private static async Task DoAsync(string kind, ServedGang gang, byte[] bytes)
    {
        switch (kind)
        {
            case "random bytes": await RawAsync(gang.Port, bytes); break;
            case "nothing": await RawAsync(gang.Port, []); break;
            case "HTTP/1.1 over TCP": await RawAsync(gang.Port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray()); break;
            case "HTTP/1.1 over TLS": await TlsAsync(gang, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray()); break;
            case "random bytes over TLS": await TlsAsync(gang, bytes); break;
            case "huge hello":
                await using (var agent = gang.Agent())
                {
                    await SayAsync(agent, new byte[200_000]);
                    Assert.Equal(StatusCode.ResourceExhausted, (await agent.EndAsync()).StatusCode);
                }

                break;
            case "hello of rubbish":
                await using (var agent = gang.Agent())
                {
                    await SayAsync(agent, bytes);
                    Assert.NotEqual(StatusCode.OK, (await agent.EndAsync()).StatusCode);
                }

                break;
            default:
                await using (var agent = await gang.JoinAsync("bad"))
                {
                    await SayAsync(agent, kind == "huge message" ? new byte[200_000] : bytes);
                    await agent.EndAsync();
                    await gang.Sink.NextAsync<AgentGone>(g => g.Pod == "bad");
                }

                break;
        }
    }

    private static async Task SayAsync(TestAgent agent, byte[] bytes)
    {
        try
        {
            await agent.SayBytesAsync(bytes);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or IOException)
        {
            // The server may have closed before all was written.
        }
    }

    private static async Task RawAsync(int port, byte[] bytes)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await ExchangeAsync(client.GetStream(), bytes, client);
    }

    private static async Task TlsAsync(ServedGang gang, byte[] bytes)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, gang.Port);
        await using var tls = new SslStream(client.GetStream(), false, (_, c, _, _) => TestAgent.Pem(c) == gang.Credentials.CertificatePem);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "llm.default.gang" });
        await ExchangeAsync(tls, bytes, client);
    }

    /// <summary>Says it, says no more, and reads until the server has had enough.</summary>
    private static async Task ExchangeAsync(Stream stream, byte[] bytes, TcpClient client)
    {
        try
        {
            await stream.WriteAsync(bytes);
            client.Client.Shutdown(SocketShutdown.Send);
            var buffer = new byte[1024];
            while (await stream.ReadAsync(buffer).AsTask().Soon() > 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset by the server: that is an end as well.
        }
    }
}
