using System.Text.Json;
using System.Text.Json.Serialization;

namespace TrainingSupervisor.Agent.Worker;

internal sealed record RosterEntry(int Rank, string Worker, string Role, int Index, string? Pod, string Address, string? Node);

/// <summary>Who is who in an attempt (docs/worker-contract.md).</summary>
internal sealed record Roster(string? Gang, int Attempt, int WorldSize, IReadOnlyList<RosterEntry> Workers, int MasterPort = 0)
{
    /// <summary>Reads and checks a roster; null and a problem in words if a worker could not be started with it.</summary>
    internal static Roster? TryRead(ReadOnlySpan<byte> json, int attempt, int rank, out string problem)
    {
        try
        {
            var roster = JsonSerializer.Deserialize(json, RosterJson.Default.Roster);
            problem = roster switch
            {
                null or { Workers: null or [] } => "the roster names no workers",
                _ when roster.Workers.Any(w => w is null || string.IsNullOrEmpty(w.Address) || string.IsNullOrEmpty(w.Worker) || string.IsNullOrEmpty(w.Role)) =>
                    "the roster has an entry without worker, role or address",
                _ when roster.Attempt != attempt => $"the roster is of attempt {roster.Attempt}, not of {attempt}",
                _ when roster.Workers.All(w => w.Rank != rank) => $"the roster has no rank {rank}",
                _ when roster.Workers.All(w => w.Rank != 0) => "the roster has no rank 0",
                _ when roster.Workers.DistinctBy(w => w.Rank).Count() != roster.Workers.Count => "the roster gives a rank twice",
                _ => "",
            };
            return problem.Length == 0 ? roster : null;
        }
        catch (JsonException e)
        {
            problem = $"the roster is not readable: {e.Message}";
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Roster))]
internal sealed partial class RosterJson : JsonSerializerContext;
