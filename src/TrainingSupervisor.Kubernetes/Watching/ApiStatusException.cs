using System.Net;
using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The API server answered with a Status instead of what was asked for.</summary>
internal sealed class ApiStatusException(HttpStatusCode code, string body, TimeSpan? retryAfter) : Exception($"{(int)code} {Shorten(body)}")
{
    public HttpStatusCode Code { get; } = code;
    public string Body { get; } = body;
    public TimeSpan? RetryAfter { get; } = retryAfter;

    public static async Task ThrowIfFailedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode) return;
        throw new ApiStatusException(response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken), response.Headers.RetryAfter?.Delta);
    }

    public static ApiStatusException FromStatus(JsonElement status) =>
        new(status.TryGetProperty("code", out var code) ? (HttpStatusCode)code.GetInt32() : HttpStatusCode.InternalServerError, status.GetRawText(), null);

    private static string Shorten(string body) => body.Length > 300 ? body[..300] : body;
}
