using System.Text.Json;

namespace TrainingSupervisor.EndToEnd;

/// <summary>What a supervisor process says of its gang, one line of JSON each time something has changed.</summary>
internal sealed record SupervisorLine(string Phase, int Attempt, int Running, long Step, string? Cause, string? Error, string? Outcome)
{
    public override string ToString() => JsonSerializer.Serialize(this);

    public static SupervisorLine Parse(string line) => JsonSerializer.Deserialize<SupervisorLine>(line)!;
}
