using System.Collections.Concurrent;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Gateway;

/// <summary>One listener for the agents of all gangs of this process. A gang's certificate is chosen by the name that its agents ask for.</summary>
internal sealed class AgentGateway(GatewayOptions options, TimeProvider time, ILoggerFactory loggers) : IAgentGateway, IAsyncDisposable
{
    /// <summary>The most that an agent has to say is a command's output of 16 KiB and a few names.</summary>
    private const int LargestMessage = 64 * 1024;

    /// <summary>All agents of a gang come at once when a supervisor takes over; the kernel takes the lesser of this and somaxconn.</summary>
    private const int Backlog = 8192;

    /// <summary>Longer than usual: when thousands come at once, whoever is cut off half-way only comes again and makes the queue longer.</summary>
    private static readonly TimeSpan HandshakePatience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, GangAgents> _gangs = new();
    private readonly TaskCompletionSource<string> _endpoint = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? _app;

    public Turnaways Turnaways { get; } = new(time, loggers.CreateLogger<AgentGateway>());

    public static string ServerName(string gang, string ns) => $"{gang}.{ns}.gang";

    public async ValueTask<string> GetEndpointAsync(CancellationToken cancellationToken) => await _endpoint.Task.WaitAsync(cancellationToken);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var guard = new ConnectionGuard(Turnaways);
        var builder = WebApplication.CreateSlimBuilder();
        // What concerns users is logged by us: the server's own log would show peers' headers, the token among them.
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = LargestMessage);
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.Backlog = Backlog);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // A stream lasts as long as its Pod.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(options.ListenAddress, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => connection => guard.WatchAsync(connection, next));
                listen.UseHttps(new TlsHandshakeCallbackOptions
                {
                    HandshakeTimeout = HandshakePatience,
                    OnConnection = context => ValueTask.FromResult(Choose(context)),
                });
            });
        });
        var app = builder.Build();
        app.MapGrpcService<GatewayService>();
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new SupervisorException($"The gateway cannot listen on {options.ListenAddress}:{options.Port}: {e.Message}", e);
        }

        _app = app;
        var bound = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        _endpoint.TrySetResult(AdvertisedEndpoint.Of(options, bound.Port));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(_gangs.Values.Select(gang => gang.DisposeAsync().AsTask()));
        if (Interlocked.Exchange(ref _app, null) is { } app)
        {
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
        var agents = new GangAgents(spec, term, credentials, sink, time, loggers.CreateLogger<GangAgents>(), Turnaways, a => _gangs.TryRemove(new(name, a)));
        if (_gangs.TryAdd(name, agents)) return agents;
        agents.Abandon();
        throw new InvalidOperationException($"Gang {name} is served already.");
    }

    public GangAgents? Find(string serverName) => _gangs.GetValueOrDefault(serverName);

    private SslServerAuthenticationOptions Choose(TlsHandshakeCallbackContext context)
    {
        var name = context.ClientHelloInfo.ServerName;
        var gang = Find(name);
        ConnectionGuard.NoteAsked(context.Connection, name, gang is not null);
        // Kestrel closes the connection on this one, and on no other, without a word of its own.
        if (gang is null) throw new AuthenticationException("no such gang here");
        return new SslServerAuthenticationOptions { ServerCertificateContext = gang.Certificate };
    }
}
