using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>A gateway on loopback, as a supervisor runs it, with what it logs.</summary>
internal sealed class GatewayFixture : IAsyncDisposable
{
    private readonly AgentGateway _gateway;

    private GatewayFixture(TimeProvider time) =>
        _gateway = new AgentGateway(new GatewayOptions { ListenAddress = IPAddress.Loopback }, time, Log);

    public CapturedLog Log { get; } = new();
    public int Port { get; private set; }
    public AgentGateway Gateway => _gateway;

    public static async Task<GatewayFixture> StartAsync(TimeProvider? time = null)
    {
        var fixture = new GatewayFixture(time ?? TimeProvider.System);
        await fixture._gateway.StartAsync(CancellationToken.None);
        fixture.Port = new Uri(await fixture._gateway.GetEndpointAsync(CancellationToken.None)).Port;
        return fixture;
    }

    public ServedGang Serve(string name = "llm", long term = 1, Action<GangBuilder>? more = null, GangCredentials? credentials = null)
    {
        var builder = Gang.Create(name)
            .AddRole("trainer", r => r.WithCount(4).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(30)).WithHeartbeat(TimeSpan.FromSeconds(2));
        more?.Invoke(builder);
        var sink = new Sink();
        var given = credentials ?? Credentials(name);
        var spec = builder.Build();
        return new ServedGang(spec, given, sink, _gateway.Serve(spec, term, given, sink.Post), Port);
    }

    public static GangCredentials Credentials(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(90));
        return new GangCredentials(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();
}
