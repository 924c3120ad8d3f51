using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>What the API server says in the body of an error.</summary>
internal static class StatusMessage
{
    public static string Of(string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return Json.Text(json.RootElement, "message"u8) ?? Shorten(body);
        }
        catch (JsonException)
        {
            return Shorten(body);
        }
    }

    /// <summary>In the words of the RBAC authorizer: <c>User "a" cannot list resource "pods"</c>.</summary>
    public static bool IsMissingRole(string message) =>
        message.Contains("cannot ", StringComparison.Ordinal) && message.Contains(" resource \"", StringComparison.Ordinal);

    /// <summary>In the words of the quota admission: <c>exceeded quota: compute, requested: pods=1, used: pods=8, limited: pods=8</c>.</summary>
    public static bool IsFullQuota(string message) => message.Contains("exceeded quota: ", StringComparison.Ordinal);

    private static string Shorten(string body) => body.Length > 500 ? body[..500] : body;
}
