using System.Text.Json;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Gateway;

/// <summary>The roster as workers read it (docs/worker-contract.md).</summary>
internal static class RosterJson
{
    public static byte[] Write(Roster roster)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("gang", roster.Gang);
            json.WriteNumber("attempt", roster.Attempt);
            json.WriteNumber("worldSize", roster.Workers.Length);
            json.WriteNumber("masterPort", roster.MasterPort);
            json.WriteStartArray("workers");
            foreach (var w in roster.Workers)
            {
                json.WriteStartObject();
                json.WriteNumber("rank", w.Rank);
                json.WriteString("worker", w.Worker.ToString());
                json.WriteString("role", w.Worker.Role);
                json.WriteNumber("index", w.Worker.Index);
                json.WriteString("pod", w.Pod);
                json.WriteString("address", w.Address);
                json.WriteString("node", w.Node);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
