using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
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
    private static readonly TimeSpan LongestAsked = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<Permission, bool> _granted = new();
    private readonly ResiliencePipeline _pipeline;
    private readonly Uri _server;

    /// <param name="options">Limits and timeouts.</param>
    /// <param name="server">The address, for messages.</param>
    /// <param name="time">The clock of waits and timeouts.</param>
    /// <param name="random">Jitter.</param>
    /// <param name="timeout">How long one try may take; default: the options'.</param>
    public ApiCalls(KubernetesOptions options, Uri server, TimeProvider time, Func<double> random, TimeSpan? timeout = null)
    {
        _server = server;
        // The limit is inside of the retry: who waits for his next try keeps no one else from his.
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
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
            .AddConcurrencyLimiter(options.MaxConcurrentRequests, int.MaxValue)
            .AddTimeout(new TimeoutStrategyOptions { Timeout = timeout ?? options.RequestTimeout })
            .Build();
    }

    /// <summary>The server has answered before: when it does not now, that will pass.</summary>
    public bool HasWorked => !_granted.IsEmpty;

    public async Task<T> RunAsync<T>(Permission permission, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            var result = await _pipeline.ExecuteAsync(token => TryAsync(permission, call, token), cancellationToken);
            _granted.TryAdd(permission, true);
            return result;
        }
        catch (HttpOperationException e)
        {
            throw Translate(permission, e.Response.StatusCode, e.Response.Content ?? "", e);
        }
        catch (PassingRefusalException e)
        {
            throw new SupervisorException($"The API server refuses '{permission}', which it allowed before: {e.Message}", e.InnerException);
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
            _granted.TryAdd(permission, true);
            return null;
        }
    }

    public SupervisorException Translate(Permission permission, HttpStatusCode code, string body, Exception? inner = null)
    {
        var message = StatusMessage.Of(body);
        return code switch
        {
            HttpStatusCode.Unauthorized => new RejectedException($"The API server at {_server} does not accept the credentials of the kubeconfig (401 to '{permission}').", inner),
            // A replacement stands beside the Pod that it replaces until that has ended: a quota that is full for now is none that refuses it for good.
            HttpStatusCode.Forbidden when StatusMessage.IsFullQuota(message) => new SupervisorException($"The API server refuses '{permission}' for now: {message}", inner),
            // Admission (Pod security, webhooks) answers 403 too, and no Role helps against that.
            HttpStatusCode.Forbidden when !StatusMessage.IsMissingRole(message) => new RejectedException($"The API server refuses '{permission}': {message}", inner),
            HttpStatusCode.Forbidden => new RejectedException($"The API server refuses '{permission}': {message}\nThis Role would allow it:\n{permission.ToRole()}", inner),
            HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest => new RejectedException($"The API server refuses '{permission}' as invalid: {message}", inner),
            _ => new SupervisorException($"The API server answered {(int)code} to '{permission}': {message}", inner),
        };
    }

    /// <summary>
    /// Tokens are rotated, and a server that has just started may not know its Roles yet: what was allowed before and is refused now will be
    /// allowed again, and is no reason to give up a gang.
    /// </summary>
    private async ValueTask<T> TryAsync<T>(Permission permission, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call(cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Unauthorized && HasWorked)
        {
            throw new PassingRefusalException("it does not accept the credentials (401)", e);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden && _granted.ContainsKey(permission))
        {
            var message = StatusMessage.Of(e.Response.Content ?? "");
            if (!StatusMessage.IsMissingRole(message)) throw;
            throw new PassingRefusalException(message, e);
        }
    }

    private bool IsPassing(Exception? e) => e switch
    {
        HttpOperationException http => (int)http.Response.StatusCode is 429 or >= 500,
        HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused or SocketError.HostNotFound } } => HasWorked,
        HttpRequestException { InnerException: System.Security.Authentication.AuthenticationException } => HasWorked,
        HttpRequestException or IOException or TimeoutRejectedException or PassingRefusalException => true,
        _ => false,
    };

    private static TimeSpan? RetryAfter(Exception? e)
    {
        if (e is not HttpOperationException http || !http.Response.Headers.TryGetValue("Retry-After", out var values)) return null;
        if (!int.TryParse(values.FirstOrDefault(), out var seconds) || seconds < 0) return null;
        var asked = TimeSpan.FromSeconds(seconds);
        return asked < LongestAsked ? asked : LongestAsked;
    }

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner) e = inner;
        return e.Message.TrimEnd('.');
    }

    private sealed class PassingRefusalException(string message, Exception inner) : Exception(message, inner);
}
