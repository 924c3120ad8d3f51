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

/// <summary>A gateway that does nothing by itself: the test says each command and sees each message.</summary>
internal sealed class TestGateway : Gateway.GatewayBase, IAsyncDisposable
{
    private readonly Channel<AgentMessage> _seen = Channel.CreateUnbounded<AgentMessage>();
    private readonly X509Certificate2 _certificate = Create();
    private WebApplication? _app;
    private IServerStreamWriter<SupervisorMessage>? _stream;

    internal List<string?> Authorizations { get; } = [];

    internal async Task StartAsync(string secretDirectory)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l =>
        {
            l.Protocols = HttpProtocols.Http2;
            l.UseHttps(_certificate);
        }));
        _app = builder.Build();
        _app.MapGrpcService<TestGateway>();
        await _app.StartAsync();
        Directory.CreateDirectory(secretDirectory);
        await File.WriteAllTextAsync(Path.Combine(secretDirectory, "token"), "secret-token\n");
        await File.WriteAllTextAsync(Path.Combine(secretDirectory, "tls.crt"), _certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(secretDirectory, "endpoint"), _app.Urls.First() + "\n");
    }

    public override async Task Connect(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<SupervisorMessage> responseStream, ServerCallContext context)
    {
        Authorizations.Add(context.RequestHeaders.GetValue("authorization"));
        _stream = responseStream;
        await responseStream.WriteAsync(new SupervisorMessage { Term = 1, PodUid = "uid", Welcome = new Welcome { HeartbeatMs = 200, ProgressMs = 10 } });
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                if (requestStream.Current.Heartbeat is null)
                    await _seen.Writer.WriteAsync(requestStream.Current);
            }
        }
        catch (IOException)
        {
            // The agent is gone.
        }
    }

    internal Task SayAsync(SupervisorMessage message) => _stream!.WriteAsync(message);

    /// <summary>The next message that fits; what comes before it is dropped.</summary>
    internal async Task<AgentMessage> NextAsync(Func<AgentMessage, bool> fits)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(8));
        while (true)
        {
            var message = await _seen.Reader.ReadAsync(limit.Token);
            if (fits(message))
                return message;
        }
    }

    internal async Task<AgentState> NextStateAsync(AgentState.Types.Phase phase) => (await NextAsync(m => m.State?.Phase == phase)).State;

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        if (_app is not null)
        {
            await _app.StopAsync(soon.Token);
            await _app.DisposeAsync();
        }

        _certificate.Dispose();
    }

    private static X509Certificate2 Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=llm.default.gang", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(90));
    }
}
