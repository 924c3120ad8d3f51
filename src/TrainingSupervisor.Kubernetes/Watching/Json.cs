using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>Reads what may be missing, or of another type than expected, as nothing.</summary>
internal static class Json
{
    public static JsonElement Get(JsonElement element, ReadOnlySpan<byte> name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    public static JsonElement.ArrayEnumerator List(JsonElement element, ReadOnlySpan<byte> name) =>
        Get(element, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : default;

    public static bool Is(JsonElement element, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        Get(element, name) is { ValueKind: JsonValueKind.String } text && text.ValueEquals(value);

    public static string? Text(JsonElement element, ReadOnlySpan<byte> name) =>
        Get(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>For what repeats from object to object and from event to event: names, reasons.</summary>
    public static string? Interned(JsonElement element, ReadOnlySpan<byte> name) => Interned(Get(element, name));

    public static string? Interned(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String) return null;
        var raw = JsonMarshal.GetRawUtf8Value(element)[1..^1];
        return Strings.Intern(raw) ?? element.GetString();
    }

    public static int Number(JsonElement element, ReadOnlySpan<byte> name) =>
        Get(element, name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : 0;

    /// <summary>A number that is written as a string, as resourceVersions are; 0 if it is none.</summary>
    public static ulong Digits(JsonElement element, ReadOnlySpan<byte> name)
    {
        if (Get(element, name) is not { ValueKind: JsonValueKind.String } text) return 0;
        var raw = JsonMarshal.GetRawUtf8Value(text)[1..^1];
        return Utf8Parser.TryParse(raw, out ulong value, out var used) && used == raw.Length ? value : 0;
    }

    public static DateTimeOffset Time(JsonElement element, ReadOnlySpan<byte> name) =>
        Get(element, name) is { ValueKind: JsonValueKind.String } text && text.TryGetDateTimeOffset(out var value) ? value : default;
}
