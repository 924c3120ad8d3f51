using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Faults;

/// <summary>
/// Stands before an embedded API server, over HTTP/1.1 or HTTP/2 with TLS, and can change what comes through line by line, answer instead of
/// it, or turn to another cluster.
/// </summary>
internal sealed class ApiProxy : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly X509Certificate2? _certificate;
    private k8s.Kubernetes _upstream;
    private int _streams;
    private int _refused;

    private ApiProxy(WebApplication app, X509Certificate2? certificate, EmbeddedCluster cluster)
    {
        _app = app;
        _certificate = certificate;
        _upstream = new k8s.Kubernetes(cluster.CreateClientConfiguration());
    }

    /// <summary>What is done with a line of a watch; false ends the stream.</summary>
    public delegate Task<bool> LineHandler(HttpContext context, string line, CancellationToken cancellationToken);

    public static LineHandler Through { get; } = async (context, line, cancellationToken) =>
    {
        await context.Response.WriteAsync(line + "\n", cancellationToken);
        return true;
    };

    public LineHandler OnLine { get; set; } = Through;

    /// <summary>Answers a request instead of the server; false lets it through.</summary>
    public Func<HttpContext, Task<bool>>? Intercept { get; set; }

    /// <summary>The only token that is let through; null for any.</summary>
    public string? Token { get; set; }

    /// <summary>Requests that are being answered.</summary>
    public int Streams => Volatile.Read(ref _streams);

    /// <summary>Requests with another token than <see cref="Token"/>.</summary>
    public int Refused => Volatile.Read(ref _refused);

    public int Port { get; private set; }

    /// <summary>The protocols that clients have spoken.</summary>
    public HashSet<string> Protocols { get; } = [];

    public X509Certificate2? Authority => _certificate is null ? null : X509CertificateLoader.LoadCertificate(_certificate.RawData);

    public static async Task<ApiProxy> StartAsync(EmbeddedCluster cluster, bool tls)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        if (tls) builder.WebHost.UseKestrelHttpsConfiguration();
        var certificate = tls ? NewCertificate() : null;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = tls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
                if (certificate is not null) listen.UseHttps(certificate);
            });
        });
        var app = builder.Build();
        var proxy = new ApiProxy(app, certificate, cluster);
        app.Run(proxy.HandleAsync);
        await app.StartAsync();
        proxy.Port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        return proxy;
    }

    /// <summary>From now on this is the cluster.</summary>
    public void TurnTo(EmbeddedCluster cluster) => _upstream = new k8s.Kubernetes(cluster.CreateClientConfiguration());

    public static async Task AnswerAsync(HttpContext context, int status, string reason, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(
            $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"{{message}}","reason":"{{reason}}","code":{{status}}}""");
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await _app.StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // What still ran was aborted.
        }

        await _app.DisposeAsync();
        _certificate?.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        Interlocked.Increment(ref _streams);
        try
        {
            lock (Protocols) Protocols.Add(context.Request.Protocol);
            if (Token is { } token && context.Request.Headers.Authorization != $"Bearer {token}")
            {
                Interlocked.Increment(ref _refused);
                await AnswerAsync(context, 401, "Unauthorized", "Unauthorized");
            }
            else if (Intercept is not { } intercept || !await intercept(context))
            {
                await ForwardAsync(context, context.RequestAborted);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // One of the two sides has gone.
            context.Abort();
        }
        finally
        {
            Interlocked.Decrement(ref _streams);
        }
    }

    private async Task ForwardAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var uri = context.Request.Path.Value!.TrimStart('/') + context.Request.QueryString;
        using var response = await new KubernetesHttp(_upstream).GetAsync(uri, "application/json", cancellationToken);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = "application/json";
        if (response.Headers.RetryAfter?.Delta is { } delta) context.Response.Headers.RetryAfter = $"{delta.TotalSeconds}";
        await context.Response.StartAsync(cancellationToken);
        await context.Response.Body.FlushAsync(cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        if (!context.Request.Query.ContainsKey("watch") || !response.IsSuccessStatusCode)
        {
            await body.CopyToAsync(context.Response.Body, cancellationToken);
            return;
        }

        using var reader = new StreamReader(body);
        while (await reader.ReadLineAsync(cancellationToken) is { } line && await OnLine(context, line, cancellationToken))
        {
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=proxy", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
