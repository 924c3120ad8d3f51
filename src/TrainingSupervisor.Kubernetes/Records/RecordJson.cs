using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The gang record as the text in its ConfigMap.</summary>
internal static class RecordJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(), new WorkerIdConverter() },
    };

    public static string Write(GangRecord record) => JsonSerializer.Serialize(record, Options);

    public static GangRecord Read(string json, string name)
    {
        try
        {
            return JsonSerializer.Deserialize<GangRecord>(json, Options) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new SupervisorException($"The gang record in ConfigMap {name} cannot be read: {e.Message}. Restore it, or delete the ConfigMap to end the gang.", e);
        }
    }

    private sealed class WorkerIdConverter : JsonConverter<WorkerId>
    {
        public override WorkerId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            WorkerId.TryParse(reader.GetString()) ?? throw new JsonException("a worker is named role-index");

        public override void Write(Utf8JsonWriter writer, WorkerId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
