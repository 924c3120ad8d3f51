using System.Collections.Concurrent;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Gateway;

/// <summary>One listener for the agents of all gangs of this process. A gang's certificate is chosen by the name that its agents ask for.</summary>
internal sealed class AgentGateway(GatewayOptions options, TimeProvider time, ILoggerFactory loggers) : IAgentGateway, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, GangAgents> _gangs = new();
    private readonly TaskCompletionSource<string> _endpoint = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? _app;

    public static string ServerName(string gang, string ns) => $"{gang}.{ns}.gang";

    public async ValueTask<string> GetEndpointAsync(CancellationToken cancellationToken) => await _endpoint.Task.WaitAsync(cancellationToken);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(options.ListenAddress, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps((_, hello, _, _) => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificate = _gangs.TryGetValue(hello.ServerName, out var gang) ? gang.Certificate : null,
                }), null!);
            });
        });
        var app = builder.Build();
        app.MapGrpcService<GatewayService>();
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            throw new SupervisorException($"The gateway cannot listen on {options.ListenAddress}:{options.Port}: {e.Message}", e);
        }

        _app = app;
        var bound = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        _endpoint.TrySetResult(Advertise(bound.Port));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var gang in _gangs.Values) await gang.DisposeAsync();
        if (_app is { } app)
        {
            _app = null;
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(2));
            await app.StopAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await app.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    public IGangAgents Serve(GangSpec spec, long term, GangCredentials credentials, Action<GangInput> sink)
    {
        var name = ServerName(spec.Name, spec.Namespace);
        var agents = new GangAgents(spec, term, credentials, sink, time, loggers.CreateLogger<GangAgents>(), a => _gangs.TryRemove(new(name, a)));
        if (!_gangs.TryAdd(name, agents)) throw new InvalidOperationException($"Gang {name} is served already.");
        return agents;
    }

    public GangAgents? Find(string gang, string ns) => _gangs.GetValueOrDefault(ServerName(gang, ns));

    private string Advertise(int port)
    {
        var address = options.AdvertisedAddress;
        if (address is null)
        {
            address = NetworkInterface.GetAllNetworkInterfaces()
                .Where(n => n.OperationalStatus == OperationalStatus.Up && n.NetworkInterfaceType != NetworkInterfaceType.Loopback)
                .SelectMany(n => n.GetIPProperties().UnicastAddresses)
                .FirstOrDefault(a => a.Address.AddressFamily == AddressFamily.InterNetwork)?.Address.ToString() ?? IPAddress.Loopback.ToString();
        }

        if (address.StartsWith("https://", StringComparison.Ordinal)) return address;
        return address.Contains(':', StringComparison.Ordinal) ? $"https://{address}" : $"https://{address}:{port}";
    }
}
