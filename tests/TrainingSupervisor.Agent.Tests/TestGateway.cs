using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>A gateway that answers heartbeats and does nothing else by itself: the test says each command and sees each message.</summary>
internal sealed class TestGateway : Gateway.GatewayBase, IAsyncDisposable
{
    internal const string Token = "secret-token";

    // One gang's certificate, whoever leads it.
    private static readonly X509Certificate2 Certificate = Create();

    private readonly Channel<AgentMessage> _seen = Channel.CreateUnbounded<AgentMessage>();
    private readonly SemaphoreSlim _writing = new(1);
    private WebApplication? _app;
    private IServerStreamWriter<SupervisorMessage>? _stream;
    private CancellationTokenSource? _drop;
    private int _heartbeats, _refused;

    internal long Term { get; set; } = 1;

    internal int FenceMs { get; set; }

    internal string PodUid { get; set; } = "uid";

    /// <summary>What else the welcome says.</summary>
    internal Action<Welcome>? Welcoming { get; set; }

    /// <summary>While false, whoever calls is told to try elsewhere.</summary>
    internal bool Open { get; set; } = true;

    internal ConcurrentQueue<string?> Authorizations { get; } = new();

    internal int Heartbeats => Volatile.Read(ref _heartbeats);

    internal int Refused => Volatile.Read(ref _refused);

    internal string Endpoint => _app!.Urls.First();

    internal async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l =>
        {
            l.Protocols = HttpProtocols.Http2;
            l.UseHttps(Certificate);
        }));
        _app = builder.Build();
        _app.MapGrpcService<TestGateway>();
        await _app.StartAsync();
    }

    /// <summary>Writes the gang's secret as the kubelet mounts it, with these gateways in this order.</summary>
    internal static async Task WriteSecretAsync(string directory, params TestGateway[] gateways)
    {
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "token"), Token + "\n");
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.crt"), Certificate.ExportCertificatePem());
        // Whole or not at all: an agent may be reading.
        await File.WriteAllLinesAsync(Path.Combine(directory, "endpoint.new"), gateways.Select(g => g.Endpoint));
        File.Move(Path.Combine(directory, "endpoint.new"), Path.Combine(directory, "endpoint"), overwrite: true);
    }

    public override async Task Connect(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<SupervisorMessage> responseStream, ServerCallContext context)
    {
        if (!Open)
        {
            Interlocked.Increment(ref _refused);
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "not here"));
        }

        Authorizations.Enqueue(context.RequestHeaders.GetValue("authorization"));
        using var drop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        (_stream, _drop) = (responseStream, drop);
        try
        {
            var welcome = new Welcome { HeartbeatMs = 200, ProgressMs = 10, FenceMs = FenceMs };
            Welcoming?.Invoke(welcome);
            await SayAsync(new SupervisorMessage { Term = Term, PodUid = PodUid, Welcome = welcome });
            while (await requestStream.MoveNext(drop.Token))
            {
                if (requestStream.Current.Heartbeat is not { } beat)
                {
                    await _seen.Writer.WriteAsync(requestStream.Current);
                    continue;
                }

                Interlocked.Increment(ref _heartbeats);
                await SayAsync(new SupervisorMessage { Term = Term, PodUid = PodUid, Ack = new HeartbeatAck { Sequence = beat.Sequence } });
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The agent is gone, or the test wants it to be.
        }
    }

    /// <summary>Ends the stream, and takes no further one until opened again.</summary>
    internal async Task CloseAsync()
    {
        Open = false;
        await _drop!.CancelAsync();
    }

    internal async Task SayAsync(SupervisorMessage message)
    {
        await _writing.WaitAsync();
        try
        {
            await _stream!.WriteAsync(message);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>The next message that fits; what comes before it is dropped.</summary>
    internal async Task<AgentMessage> NextAsync(Func<AgentMessage, bool> fits)
    {
        using var limit = new CancellationTokenSource(AgentTest.Limit);
        while (true)
        {
            var message = await _seen.Reader.ReadAsync(limit.Token);
            if (fits(message))
                return message;
        }
    }

    internal async Task<Hello> HelloAsync() => (await NextAsync(m => m.Hello is not null)).Hello;

    internal async Task<AgentState> NextStateAsync(AgentState.Types.Phase phase) => (await NextAsync(m => m.State?.Phase == phase)).State;

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        if (Interlocked.Exchange(ref _app, null) is { } app)
        {
            await app.StopAsync(soon.Token);
            await app.DisposeAsync();
        }

        _writing.Dispose();
    }

    private static X509Certificate2 Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=llm.default.gang", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(90));
    }
}
