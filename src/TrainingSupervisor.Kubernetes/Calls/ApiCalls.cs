using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using k8s.Autorest;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// How each request is made: tried again where that is safe and may help, not too many at once, and with an error that a person can use.
/// All our writes are safe to repeat: they carry a name, a UID or a resourceVersion.
/// </summary>
internal sealed class ApiCalls
{
    private readonly ResiliencePipeline _pipeline;
    private readonly Uri _server;

    public ApiCalls(KubernetesOptions options, Uri server, TimeProvider time, Func<double> random)
    {
        _server = server;
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddConcurrencyLimiter(options.MaxConcurrentRequests, int.MaxValue)
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = 5,
                BackoffType = DelayBackoffType.Exponential,
                Delay = TimeSpan.FromMilliseconds(100),
                MaxDelay = TimeSpan.FromSeconds(5),
                UseJitter = true,
                Randomizer = random,
                ShouldHandle = args => ValueTask.FromResult(IsPassing(args.Outcome.Exception)),
                DelayGenerator = args => ValueTask.FromResult(RetryAfter(args.Outcome.Exception)),
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = options.RequestTimeout })
            .Build();
    }

    public async Task<T> RunAsync<T>(Permission permission, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await _pipeline.ExecuteAsync(async token => await call(token), cancellationToken);
        }
        catch (HttpOperationException e)
        {
            throw Translate(permission, e);
        }
        catch (TimeoutRejectedException e)
        {
            throw new SupervisorException($"The API server at {_server} did not answer in time to '{permission}'.", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            throw new SupervisorException($"The API server at {_server} cannot be reached: {Innermost(e)}. Is the address in the kubeconfig right, and the cluster up?", e);
        }
    }

    /// <summary>Runs the call; this status is an answer and not an error.</summary>
    public async Task<T?> RunAsync<T>(Permission permission, HttpStatusCode expected, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await RunAsync(permission, call, cancellationToken);
        }
        catch (SupervisorException e) when (e.InnerException is HttpOperationException http && http.Response.StatusCode == expected)
        {
            return null;
        }
    }

    public SupervisorException Translate(Permission permission, HttpStatusCode code, string body, Exception? inner = null)
    {
        var message = MessageOf(body);
        return code switch
        {
            HttpStatusCode.Unauthorized => new RejectedException($"The API server at {_server} does not accept the credentials of the kubeconfig (401 to '{permission}').", inner),
            HttpStatusCode.Forbidden => new RejectedException($"The API server refuses '{permission}': {message}\nThis Role would allow it:\n{permission.ToRole()}", inner),
            HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest => new RejectedException($"The API server refuses '{permission}' as invalid: {message}", inner),
            _ => new SupervisorException($"The API server answered {(int)code} to '{permission}': {message}", inner),
        };
    }

    private SupervisorException Translate(Permission permission, HttpOperationException e) =>
        Translate(permission, e.Response.StatusCode, e.Response.Content ?? "", e);

    private static bool IsPassing(Exception? e) => e switch
    {
        HttpOperationException http => (int)http.Response.StatusCode is 429 or >= 500,
        HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused or SocketError.HostNotFound } } => false,
        HttpRequestException { InnerException: System.Security.Authentication.AuthenticationException } => false,
        HttpRequestException or IOException or TimeoutRejectedException => true,
        _ => false,
    };

    private static TimeSpan? RetryAfter(Exception? e) =>
        e is HttpOperationException http && http.Response.Headers.TryGetValue("Retry-After", out var values)
        && int.TryParse(values.FirstOrDefault(), out var seconds) ? TimeSpan.FromSeconds(seconds) : null;

    private static string MessageOf(string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.GetProperty("message").GetString() ?? body;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return body.Length > 500 ? body[..500] : body;
        }
    }

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner) e = inner;
        return e.Message.TrimEnd('.');
    }
}
