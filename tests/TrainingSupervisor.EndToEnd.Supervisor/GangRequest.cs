using System.Text.Json;

namespace TrainingSupervisor.EndToEnd;

/// <summary>Which gang, and how the supervisor and the cluster reach each other. The same in a test and in a supervisor process.</summary>
internal sealed record GangRequest
{
    public required string Name { get; init; }
    public required string Namespace { get; init; }
    public required int Workers { get; init; }
    public int Spares { get; init; }
    public required string WorkerImage { get; init; }
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>The agent's image, or its path in the worker's image.</summary>
    public required string Agent { get; init; }
    public AgentDelivery Delivery { get; init; } = AgentDelivery.ImageVolume;
    public double HeartbeatSeconds { get; init; } = 0.5;
    public double FenceSeconds { get; init; } = 5;
    public double StartSeconds { get; init; } = 150;
    public double BarrierSeconds { get; init; } = 120;
    public int Budget { get; init; } = 100;

    /// <summary>Says whether a worker is well; empty for none.</summary>
    public IReadOnlyList<string> HealthCommand { get; init; } = [];

    /// <summary>Where something else creates the Pods: the label selector that finds them.</summary>
    public string? AdoptSelector { get; init; }

    /// <summary>A kubeconfig file, for a supervisor process.</summary>
    public string? KubeConfig { get; init; }
    public string ListenAddress { get; init; } = "127.0.0.1";
    public int Port { get; init; }
    public string AdvertisedAddress { get; init; } = "127.0.0.1";
    public double LeaseSeconds { get; init; } = 15;

    /// <summary>What agents ask for a sign of life of the API server; null for its own address.</summary>
    public string? LivenessUrl { get; init; }

    public GangBuilder Describe() => Gang.Create(Name).WithNamespace(Namespace)
        .AddRole("w", r =>
        {
            r.WithCount(Workers).WithSpares(Spares).WithImage(WorkerImage).WithCommand(Command).WithOnePerNode();
            _ = Delivery switch
            {
                AgentDelivery.ImageVolume => r.WithAgentFromImageVolume(Agent),
                AgentDelivery.InitContainer => r.WithAgentFromInitContainer(Agent),
                _ => r.WithAgentInImage(Agent),
            };
            if (HealthCommand.Count > 0) r.WithHealthCheck(HealthCommand);
            if (AdoptSelector is { } selector) r.WithAdoptedPods(selector);
            if (LivenessUrl is { } url) r.ConfigurePod(pod => pod.Spec.Containers[0].Env.Add(new k8s.Models.V1EnvVar { Name = "GANG_LIVENESS_URL", Value = url }));
        })
        .WithHeartbeat(TimeSpan.FromSeconds(HeartbeatSeconds))
        .WithFence(TimeSpan.FromSeconds(FenceSeconds))
        .WithStartDeadline(TimeSpan.FromSeconds(StartSeconds))
        .WithBarrierDeadline(TimeSpan.FromSeconds(BarrierSeconds))
        .WithPolicy(p => p.WithBudget(Budget, TimeSpan.FromHours(1)));

    public void Configure(TrainingSupervisorOptions options)
    {
        options.KubeConfigPath = KubeConfig;
        options.Kubernetes.LeaseDuration = TimeSpan.FromSeconds(LeaseSeconds);
        options.Gateway.ListenAddress = System.Net.IPAddress.Parse(ListenAddress);
        options.Gateway.Port = Port;
        options.Gateway.AdvertisedAddress = AdvertisedAddress;
    }

    public string ToJson() => JsonSerializer.Serialize(this);

    public static GangRequest FromJson(string json) => JsonSerializer.Deserialize<GangRequest>(json)!;
}
