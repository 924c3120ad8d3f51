using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The API server answered with a Status instead of what was asked for.</summary>
internal sealed class ApiStatusException(HttpStatusCode code, string body, TimeSpan? retryAfter) : Exception($"{(int)code} {Shorten(body)}")
{
    public HttpStatusCode Code { get; } = code;
    public string Body { get; } = body;
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>The server has not got as far as the version that was named: it lags behind, or was put back to an older state.</summary>
    public bool IsFromTheFuture =>
        Body.Contains("ResourceVersionTooLarge", StringComparison.Ordinal) || Body.Contains("Too large resource version", StringComparison.Ordinal);

    public static async Task ThrowIfFailedAsync(HttpResponseMessage response, TimeProvider time, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode) return;
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        throw new ApiStatusException(response.StatusCode, body, Delay(response.Headers.RetryAfter, time));
    }

    public static ApiStatusException FromStatus(JsonElement status) =>
        new(Json.Number(status, "code"u8) is > 0 and var code ? (HttpStatusCode)code : HttpStatusCode.InternalServerError,
            status.ValueKind == JsonValueKind.Undefined ? "" : status.GetRawText(), null);

    private static TimeSpan? Delay(RetryConditionHeaderValue? header, TimeProvider time) =>
        header?.Delta ?? (header?.Date is { } date && date > time.GetUtcNow() ? date - time.GetUtcNow() : null);

    private static string Shorten(string body) => body.Length > 300 ? body[..300] : body;
}
