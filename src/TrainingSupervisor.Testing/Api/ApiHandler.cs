using System.Globalization;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>The way of every request: faults, who asks, may he, the answer, the log.</summary>
internal sealed class ApiHandler
{
    private readonly ObjectStore _store;
    private readonly EmbeddedClusterOptions _options;
    private readonly TokenAuthority _tokens;
    private readonly ApiFaults _faults;
    private readonly RequestLog _log;
    private readonly ListPager _pager;
    private readonly ResourceHandler _resources;

    public ApiHandler(ObjectStore store, EmbeddedClusterOptions options, TokenAuthority tokens, ApiFaults faults, RequestLog log)
    {
        _store = store;
        _options = options;
        _tokens = tokens;
        _faults = faults;
        _log = log;
        _pager = new(store);
        _resources = new(store, _pager, new(options, store), options);
        Exec = new(store, options);
        store.Compacted += _pager.Forget;
        foreach (var ns in (ReadOnlySpan<string>)["default", "kube-system", "kube-public", "kube-node-lease"])
        {
            _resources.EnsureNamespace(ns);
        }
    }

    /// <inheritdoc cref="ResourceHandler.PodLog"/>
    public Func<string, string, string?, bool, CancellationToken, Task<byte[]>>? PodLog
    {
        get => _resources.PodLog;
        set => _resources.PodLog = value;
    }

    public ExecHandler Exec { get; }

    /// <summary>A restart forgets what continue tokens need, as a real API server does.</summary>
    public void Restarted() => _pager.Forget();

    public async Task HandleAsync(HttpContext context)
    {
        ApiCall? call = null;
        ApiError? malformed = null;
        try
        {
            call = ApiCall.Parse(context.Request);
        }
        catch (ApiError error)
        {
            malformed = error;
        }

        var info = Describe(context.Request, call);
        var faults = _faults.Take(info);
        var delay = faults.Aggregate(TimeSpan.Zero, (sum, f) => sum + f.Delay);
        if (delay > TimeSpan.Zero)
        {
            try
            {
                await _faults.HoldAsync(delay, _options.TimeProvider, context.RequestAborted).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                // The client gave up, or the server stops; there is nobody to answer.
                return;
            }
        }

        if (faults.Any(f => f.AbortBefore))
        {
            Abort(context, info);
            return;
        }

        ApiResponse? response;
        try
        {
            var failure = faults.FirstOrDefault(f => f.Error is not null)?.Error ?? malformed;
            response = failure is null ? await AnswerAsync(context, call, info).ConfigureAwait(false) : ApiResponse.Error(failure);
        }
        catch (ApiError error)
        {
            response = ApiResponse.Error(error);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        if (response is null)
        {
            return;
        }

        if (faults.Any(f => f.AbortAfter))
        {
            Abort(context, info);
            return;
        }

        Enter(info, response.Status);
        await WriteAsync(context, response).ConfigureAwait(false);
    }

    /// <summary>Returns null when the answer was a stream.</summary>
    private async Task<ApiResponse?> AnswerAsync(HttpContext context, ApiCall? call, ApiRequestInfo info)
    {
        var path = context.Request.Path.Value ?? "";
        if (call is null && Discovery.Public(path, _options) is { } open)
        {
            return open;
        }

        var identity = _tokens.Authenticate(context.Request);
        if (call is null)
        {
            if (HttpMethods.IsPost(context.Request.Method) && path == AccessReview.Path)
            {
                return await AccessReview.AnswerAsync(context.Request, identity).ConfigureAwait(false);
            }

            return Discovery.Find(path) ?? ApiResponse.Text(404, "404 page not found\n");
        }

        TokenAuthority.Authorize(identity, call);
        if (call is { Subresource: "exec", Verb: "get" or "create" } && call.Type == ResourceType.Pods && Exec.Start is not null)
        {
            if (Exec.NeedsCreate)
            {
                TokenAuthority.Authorize(identity, call with { Verb = "create" });
            }

            return await Exec.HandleAsync(context, call, () => Enter(info, 101)).ConfigureAwait(false);
        }

        if (call.Verb != "watch")
        {
            return await _resources.HandleAsync(call, context.Request).ConfigureAwait(false);
        }

        using var session = _faults.Watches.Open(info);
        var watch = new WatchStream(_store, _options.TimeProvider, _options.BookmarkInterval, _faults.Watches, session, call);
        await watch.RunAsync(context, () => Enter(info, 200)).ConfigureAwait(false);
        return null;
    }

    private void Abort(HttpContext context, ApiRequestInfo info)
    {
        Enter(info, 0);
        context.Abort();
    }

    private void Enter(ApiRequestInfo info, int status) => _log.Add(new()
    {
        Verb = info.Verb,
        Resource = info.Resource,
        Subresource = info.Subresource,
        Namespace = info.Namespace,
        Name = info.Name,
        UserAgent = info.UserAgent,
        Status = status,
        Time = _options.TimeProvider.GetUtcNow(),
    });

    private static ApiRequestInfo Describe(HttpRequest request, ApiCall? call) => new()
    {
        Verb = call?.Verb ?? request.Method.ToLowerInvariant(),
        Resource = call?.Type.Plural ?? request.Path.Value ?? "",
        Subresource = call?.Subresource,
        Namespace = call?.Namespace,
        Name = call?.Name,
        UserAgent = request.Headers.UserAgent.ToString(),
    };

    private static async Task WriteAsync(HttpContext context, ApiResponse response)
    {
        context.Response.StatusCode = response.Status;
        context.Response.ContentType = response.ContentType;
        context.Response.ContentLength = response.Body.Length;
        context.Response.Headers.CacheControl = "no-cache, private";
        context.Response.Headers["Audit-Id"] = Guid.NewGuid().ToString();
        if (response.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.BodyWriter.WriteAsync(response.Body, context.RequestAborted).ConfigureAwait(false);
        }
    }
}
