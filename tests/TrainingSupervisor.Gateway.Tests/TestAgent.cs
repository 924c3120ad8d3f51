using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>The wire's other end, with no behaviour of its own: the test says each message, also ones that are none.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    private static readonly Method<byte[], SupervisorMessage> Connect = new(
        MethodType.DuplexStreaming, "trainingsupervisor.v1.Gateway", "Connect",
        Marshallers.Create<byte[]>(b => b, b => b),
        Marshallers.Create<SupervisorMessage>(m => m.ToByteArray(), SupervisorMessage.Parser.ParseFrom));

    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<byte[], SupervisorMessage> _call;
    private readonly CancellationTokenSource _stop = new();

    public TestAgent(int port, string name, string authorization, string certificatePem = "") : this(Channel(port, name, certificatePem), authorization)
    {
    }

    private TestAgent(GrpcChannel channel, string authorization)
    {
        _channel = channel;
        var headers = authorization.Length > 0 ? new Metadata { { "authorization", authorization } } : [];
        _call = _channel.CreateCallInvoker().AsyncDuplexStreamingCall(Connect, null, new CallOptions(headers, cancellationToken: _stop.Token));
    }

    private static GrpcChannel Channel(int port, string name, string certificatePem) =>
        GrpcChannel.ForAddress($"https://{name}:{port}", new GrpcChannelOptions
        {
            DisposeHttpClient = true,
            HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectCallback = async (_, cancellationToken) =>
                {
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                    return new NetworkStream(socket, ownsSocket: true);
                },
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, c, _, _) => Pem(c) == certificatePem },
            },
        });

    /// <summary>Another call over the same connection.</summary>
    public TestAgent Again(string authorization) => new(_channel, authorization);

    /// <summary>As agents do: not who signed it counts, but that it is the gang's own.</summary>
    public static string Pem(X509Certificate? certificate) => certificate is X509Certificate2 c ? c.ExportCertificatePem() : "";

    public Task HeadersAsync() => _call.ResponseHeadersAsync.Soon();

    public Task SayAsync(AgentMessage message, DateTimeOffset? sent = null)
    {
        message.SentUnixMs = (sent ?? DateTimeOffset.UtcNow).ToUnixTimeMilliseconds();
        return SayBytesAsync(message.ToByteArray());
    }

    public Task SayBytesAsync(byte[] bytes) => _call.RequestStream.WriteAsync(bytes).Soon();

    public Task SayStateAsync(AgentState state, DateTimeOffset? sent = null) => SayAsync(new AgentMessage { State = state }, sent);

    /// <summary>A heartbeat and its answer.</summary>
    public async Task BeatAsync(long sequence = 1, DateTimeOffset? sent = null)
    {
        await SayAsync(new AgentMessage { Heartbeat = new Heartbeat { Sequence = sequence } }, sent);
        Assert.Equal(sequence, (await NextAsync(SupervisorMessage.KindOneofCase.Ack)).Ack.Sequence);
    }

    public Task CompleteAsync() => _call.RequestStream.CompleteAsync();

    /// <summary>The next message of this kind; others before it are passed over.</summary>
    public async Task<SupervisorMessage> NextAsync(SupervisorMessage.KindOneofCase kind)
    {
        while (await _call.ResponseStream.MoveNext(CancellationToken.None).Soon())
        {
            if (_call.ResponseStream.Current.KindCase == kind) return _call.ResponseStream.Current;
        }

        throw new EndOfStreamException($"the stream ended before a {kind}");
    }

    /// <summary>Reads to the end of the stream and gives its status.</summary>
    public async Task<Status> EndAsync()
    {
        try
        {
            while (await _call.ResponseStream.MoveNext(CancellationToken.None).Soon())
            {
            }

            return _call.GetStatus();
        }
        catch (RpcException e)
        {
            return e.Status;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _call.Dispose();
        _channel.Dispose();
        _stop.Dispose();
    }
}
