using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Names, labels and sizes.</summary>
internal static partial class MetadataValidation
{
    private const int MaxData = 1024 * 1024;

    public static void Check(ResourceType type, JsonObject obj, List<FieldError> errors)
    {
        var metadata = obj.Metadata();
        var name = metadata.Text("name");
        if (string.IsNullOrEmpty(name))
        {
            errors.Add(FieldError.Required("metadata.name", "name or generateName is required"));
        }
        else if (type == ResourceType.Services)
        {
            if (name.Length > 63 || !Dns1035().IsMatch(name))
            {
                errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"",
                    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"));
            }
        }
        else if (name.Length > 253)
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", "must be no more than 253 characters"));
        }
        else if (!Dns1123Subdomain().IsMatch(name))
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"",
                @"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"));
        }

        foreach (var (key, value) in metadata.At("labels") ?? [])
        {
            var text = value is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : "";
            if (text.Length > 63)
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{text}\"", "must be no more than 63 characters"));
            }
            else if (!LabelValue().IsMatch(text))
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{text}\"",
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"));
            }

            if (key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..] is not { Length: > 0 and <= 63 } part || !LabelValue().IsMatch(part))
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{key}\"",
                    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"));
            }
        }

        if (type == ResourceType.ConfigMaps || type == ResourceType.Secrets)
        {
            Size(type, obj, errors);
        }
    }

    public static void DnsLabel(string path, string name, List<FieldError> errors)
    {
        if (name.Length > 63)
        {
            errors.Add(FieldError.Invalid(path, $"\"{name}\"", "must be no more than 63 characters"));
        }
        else if (!Dns1123Label().IsMatch(name))
        {
            errors.Add(FieldError.Invalid(path, $"\"{name}\"",
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"));
        }
    }

    private static void Size(ResourceType type, JsonObject obj, List<FieldError> errors)
    {
        long size = 0;
        foreach (var part in new[] { "data", "binaryData" })
        {
            foreach (var (_, value) in obj.At(part) ?? [])
            {
                var text = (value as JsonValue)?.ToString() ?? "";
                var encoded = part == "binaryData" || type == ResourceType.Secrets;
                size += encoded ? text.Length / 4 * 3 : Encoding.UTF8.GetByteCount(text);
            }
        }

        if (size > MaxData)
        {
            errors.Add(new(type == ResourceType.Secrets ? "data" : "", "FieldValueTooLong", $"Too long: may not be more than {MaxData} bytes"));
        }
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Dns1123Subdomain();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex Dns1123Label();

    [GeneratedRegex(@"^[a-z]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex Dns1035();

    [GeneratedRegex(@"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\z")]
    private static partial Regex LabelValue();
}
