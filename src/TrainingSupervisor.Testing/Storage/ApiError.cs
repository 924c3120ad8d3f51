using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing.Storage;

/// <summary>A failure with the shape of a Kubernetes <c>Status</c>.</summary>
internal sealed class ApiError : Exception
{
    private ApiError(int code, string? reason, string message, JsonObject? details = null)
        : base(message)
    {
        Code = code;
        Reason = reason;
        Details = details;
    }

    public int Code { get; }

    public string? Reason { get; }

    public JsonObject? Details { get; }

    /// <summary>Goes into the Status's metadata: the token with which an expired list may go on.</summary>
    public string? Continue { get; private init; }

    /// <summary>Seconds for the <c>Retry-After</c> header.</summary>
    public int? RetryAfterSeconds { get; private init; }

    public static ApiError NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.QualifiedPlural} \"{name}\" not found", For(type, name));

    public static ApiError AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.QualifiedPlural} \"{name}\" already exists", For(type, name));

    public static ApiError Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.QualifiedPlural} \"{name}\": {why}", For(type, name));

    public static ApiError Modified(ResourceType type, string name) =>
        Conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");

    /// <summary>A delete's precondition names the kind and not the resource, as the real server does.</summary>
    public static ApiError Precondition(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.QualifiedKind} \"{name}\": {why}",
            new JsonObject { ["name"] = name, ["kind"] = type.Kind });

    public static ApiError Expired(string message, string? continueToken = null) =>
        new(410, "Expired", message) { Continue = continueToken };

    public static ApiError BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiError Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors)
    {
        var list = string.Join(", ", errors.Select(e => $"{e.Field}: {e.Message}"));
        var causes = errors.Select(e => (JsonNode)new JsonObject
        {
            ["reason"] = e.Reason,
            ["message"] = e.Message,
            ["field"] = e.Field,
        }).ToArray();
        var details = new JsonObject { ["name"] = name, ["kind"] = type.Kind, ["causes"] = new JsonArray(causes) };
        if (type.Group.Length > 0)
        {
            details.Insert(1, "group", type.Group);
        }

        return new(422, "Invalid",
            $"{type.QualifiedKind} \"{name}\" is invalid: {(errors.Count == 1 ? list : $"[{list}]")}", details);
    }

    public static ApiError Of(int code, string? reason, string message, JsonObject? details = null, int? retryAfterSeconds = null) =>
        new(code, reason, message, details) { RetryAfterSeconds = retryAfterSeconds };

    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = Continue is null ? [] : new JsonObject { ["continue"] = Continue },
            ["status"] = "Failure",
            ["message"] = Message,
        };
        if (Reason is not null)
        {
            status["reason"] = Reason;
        }

        if (Details is not null)
        {
            status["details"] = Details.DeepClone();
        }

        status["code"] = Code;
        return status;
    }

    private static JsonObject For(ResourceType type, string name)
    {
        var details = new JsonObject { ["name"] = name };
        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }

        details["kind"] = type.Plural;
        return details;
    }
}

/// <summary>One cause of a 422.</summary>
internal sealed record FieldError(string Field, string Reason, string Message)
{
    public static FieldError Required(string field, string? message = null) =>
        new(field, "FieldValueRequired", message is null ? "Required value" : $"Required value: {message}");

    public static FieldError Invalid(string field, string value, string message) =>
        new(field, "FieldValueInvalid", $"Invalid value: {value}: {message}");

    public static FieldError NotSupported(string field, string value, params string[] supported) =>
        new(field, "FieldValueNotSupported",
            $"Unsupported value: \"{value}\": supported values: {string.Join(", ", supported.Select(s => $"\"{s}\""))}");

    public static FieldError Forbidden(string field, string message) => new(field, "FieldValueForbidden", $"Forbidden: {message}");

    public static FieldError TooMany(string field, int count, int most) =>
        new(field, "FieldValueTooMany", $"Too many: {count}: must have at most {most} items");
}
