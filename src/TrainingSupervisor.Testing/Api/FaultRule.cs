using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>One fault on demand.</summary>
internal sealed class FaultRule(Func<ApiRequestInfo, bool>? where, int? count)
{
    private int? _left = count;

    public ApiError? Error { get; init; }

    public TimeSpan Delay { get; init; }

    public bool AbortBefore { get; init; }

    public bool AbortAfter { get; init; }

    public bool IsUsedUp => _left <= 0;

    public bool Matches(ApiRequestInfo request) => !IsUsedUp && (where is null || where(request));

    public void Use() => _left--;
}

/// <summary>The Status bodies of provoked errors.</summary>
internal static class FaultErrors
{
    public static ApiError Of(int status, TimeSpan? retryAfter)
    {
        var (reason, message) = status switch
        {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden by a fault on demand"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
            410 => ("Expired", "The resourceVersion for the provided watch is too old."),
            429 => ("TooManyRequests", "The server has received too many requests and has asked us to try again later"),
            500 => ("InternalError", "Internal error occurred: a fault on demand"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "the server was unable to return a response in the time allotted, but may still be processing the request"),
            _ => ((string?)null, "a fault on demand"),
        };
        return ApiError.Of(status, reason, message, retryAfterSeconds: retryAfter is { } wait ? (int)Math.Ceiling(wait.TotalSeconds) : null);
    }
}
