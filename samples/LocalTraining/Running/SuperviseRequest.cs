using System.Text.Json;
using TrainingSupervisor;

namespace LocalTraining.Running;

/// <summary>What a supervisor process is told: which gang, and where the cluster is.</summary>
internal sealed record SuperviseRequest
{
    public required string Gang { get; init; }
    public required int Workers { get; init; }
    public required int Spares { get; init; }
    public required string KubeConfig { get; init; }
    public required int GatewayPort { get; init; }
    public required string AgentImage { get; init; }
    public required IReadOnlyList<string> Command { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this);

    public static SuperviseRequest FromJson(string json) => JsonSerializer.Deserialize<SuperviseRequest>(json)!;

    /// <summary>The gang, as a launcher would describe it.</summary>
    public GangSpec Describe() => TrainingSupervisor.Gang.Create(Gang)
        .AddRole("trainer", role => role
            .WithCount(Workers)
            .WithSpares(Spares)
            .WithImage("local/trainer:1")
            .WithCommand(Command)
            // A .NET program that is killed leaves its diagnostics socket in the temporary directory.
            .WithEnvironment("DOTNET_EnableDiagnostics", "0")
            .WithOnePerNode()
            .WithAgentFromImageVolume(AgentImage))
        // Much shorter than in production, so that the run is; long enough for a laptop that is busy with something else.
        .WithHeartbeat(TimeSpan.FromSeconds(1))
        .WithFence(TimeSpan.FromSeconds(4))
        .WithHangTimeout(TimeSpan.FromSeconds(12)) // It also bounds the time to the first step.
        .WithStartDeadline(TimeSpan.FromMinutes(2))
        .WithBarrierDeadline(TimeSpan.FromMinutes(1))
        .WithPolicy(policy => policy
            .WithBudget(20, TimeSpan.FromHours(1))
            // Whose node is about to go is well and can save first, and so can all others. After a crash or a hang nobody could, and to ask
            // would only cost time; a gang that can save even then says so with WithQuiesce.
            .On([FailureKind.NodeDraining, FailureKind.Preempted, FailureKind.Evicted], r => r.Use(RecoveryStrategy.Hybrid).Quiesce(TimeSpan.FromSeconds(5))))
        .Build();
}
