using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Kestrel on loopback; may be stopped and started again on the same port.</summary>
internal sealed class ApiServer(EmbeddedClusterOptions options, ApiHandler handler, ApiFaults faults) : IAsyncDisposable
{
    private static readonly TimeSpan s_goodbye = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Lock _connectionsGate = new();
    private readonly HashSet<ConnectionContext> _connections = [];
    private readonly ServerCertificate? _certificate = options.UseTls ? ServerCertificate.Create() : null;
    private WebApplication? _app;
    private int _port = options.Port;

    public Uri Address => new($"{(options.UseTls ? "https" : "http")}://127.0.0.1:{_port}/");

    public System.Security.Cryptography.X509Certificates.X509Certificate2? Authority => _certificate?.Authority;

    public async Task StartAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            if (_app is not null)
            {
                return;
            }

            var app = Build();
            try
            {
                await app.StartAsync(ct).ConfigureAwait(false);
            }
            catch
            {
                await app.DisposeAsync().ConfigureAwait(false);
                throw;
            }

            var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
            _port = new Uri(address).Port;
            _app = app;
        }
        finally
        {
            _gate.Release();
        }
    }

    public async Task StopAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            if (_app is not { } app)
            {
                return;
            }

            _app = null;
            faults.Watches.End(where: null, abort: false);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
            patience.CancelAfter(s_goodbye);
            try
            {
                await app.StopAsync(patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                // Patience ended: what still ran was aborted, and that is what was asked for.
            }
            finally
            {
                await app.DisposeAsync().ConfigureAwait(false);
                handler.Restarted();
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public void AbortConnections()
    {
        ConnectionContext[] open;
        lock (_connectionsGate)
        {
            open = [.. _connections];
        }

        foreach (var connection in open)
        {
            connection.Abort(new ConnectionAbortedException("a fault on demand"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _certificate?.Dispose();
        _gate.Dispose();
    }

    private WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        if (options.UseTls)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        // The default lifetime would take Ctrl+C away from the program that embeds the cluster.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MaxRequestBodySize = 3 * 1024 * 1024;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 250;
            kestrel.Listen(IPAddress.Loopback, _port, listen =>
            {
                listen.Use(TrackAsync);
                if (_certificate is not null)
                {
                    listen.Protocols = HttpProtocols.Http1AndHttp2;
                    listen.UseHttps(_certificate.Server);
                }
                else
                {
                    listen.Protocols = HttpProtocols.Http1;
                }
            });
        });
        var app = builder.Build();
        app.UseWhen(c => c.Request.Path.Value?.EndsWith("/exec", StringComparison.Ordinal) == true, exec => exec.UseWebSockets());
        app.Run(handler.HandleAsync);
        return app;
    }

    private ConnectionDelegate TrackAsync(ConnectionDelegate next) => async connection =>
    {
        lock (_connectionsGate)
        {
            _connections.Add(connection);
        }

        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            lock (_connectionsGate)
            {
                _connections.Remove(connection);
            }
        }
    };

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
