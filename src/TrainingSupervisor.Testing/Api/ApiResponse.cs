using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>A whole answer; watches are streamed and have none.</summary>
internal sealed record ApiResponse(int Status, ReadOnlyMemory<byte> Body, string ContentType = "application/json")
{
    public int? RetryAfterSeconds { get; init; }

    public static ApiResponse Ok(JsonNode body) => new(200, Json.Bytes(body));

    public static ApiResponse Created(JsonNode body) => new(201, Json.Bytes(body));

    public static ApiResponse Text(int status, string text) => new(status, Encoding.UTF8.GetBytes(text), "text/plain; charset=utf-8");

    public static ApiResponse Error(ApiError error) =>
        new(error.Code, Json.Bytes(error.ToStatus())) { RetryAfterSeconds = error.RetryAfterSeconds };

    public static JsonObject Success(JsonObject? details = null, int? code = null)
    {
        var status = new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success" };
        if (details is not null)
        {
            status["details"] = details;
        }

        if (code is not null)
        {
            status["code"] = code;
        }

        return status;
    }
}
