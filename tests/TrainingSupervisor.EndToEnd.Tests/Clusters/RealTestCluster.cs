using System.Globalization;
using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A cluster that somebody else runs, named by environment variables (docs/real-cluster.md). Each test gets a namespace of its own.</summary>
internal sealed class RealTestCluster : ITestCluster
{
    private readonly k8s.Kubernetes _client;
    private readonly AgentDelivery _delivery;

    private RealTestCluster(k8s.Kubernetes client, string ns, AgentDelivery delivery)
    {
        _client = client;
        Namespace = ns;
        _delivery = delivery;
    }

    public static bool IsChosen => Variable("KUBECONFIG") is not null;

    public EmbeddedCluster? Embedded => null;
    public string Namespace { get; }
    public TimeSpan Patience => TimeSpan.FromSeconds(double.Parse(Variable("PATIENCE_SECONDS") ?? "300", CultureInfo.InvariantCulture));
    public string KubeConfigFile => Variable("KUBECONFIG")!;

    public static async Task<RealTestCluster> StartAsync(int nodes)
    {
        var client = new k8s.Kubernetes(Configuration());
        var ready = (await client.CoreV1.ListNodeAsync()).Items
            .Count(n => n.Spec.Unschedulable != true && n.Status.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) && n.Spec.Taints?.Any(t => t.Effect == "NoSchedule") != true);
        if (ready < nodes)
        {
            client.Dispose();
            throw new InvalidOperationException($"This test needs {nodes} schedulable nodes, the cluster has {ready}. docs/real-cluster.md says how to get them.");
        }

        var name = $"{Variable("NAMESPACE") ?? "gang-e2e"}-{Guid.NewGuid().ToString("N")[..6]}";
        await client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new V1ObjectMeta { Name = name } });
        return new RealTestCluster(client, name, await DeliveryAsync(client));
    }

    public KubernetesClientConfiguration CreateConfiguration() => Configuration();

    public GangRequest Request(int workers, int spares, IReadOnlyList<string> command) => new()
    {
        Name = "job",
        Namespace = Namespace,
        Workers = workers,
        Spares = spares,
        WorkerImage = Variable("WORKER_IMAGE") ?? throw Missing("WORKER_IMAGE", "an image with a shell and a C library, such as debian:12"),
        Command = command,
        Agent = Variable("AGENT_IMAGE") ?? Variable("AGENT_PATH") ?? "/gang-agent",
        Delivery = _delivery,
        KubeConfig = KubeConfigFile,
        ListenAddress = Variable("LISTEN") ?? "0.0.0.0",
        Port = int.Parse(Variable("PORT") ?? "0", CultureInfo.InvariantCulture),
        AdvertisedAddress = Variable("ADVERTISE") ?? throw Missing("ADVERTISE", "HOST or HOST:PORT at which Pods reach this machine"),
        FenceSeconds = 15,
        StartSeconds = Patience.TotalSeconds * 0.8,
        BarrierSeconds = Patience.TotalSeconds * 0.4,
    };

    public async Task KillWorkerAsync(string pod)
    {
        // An exec has the environment of the container, and no expansion of its words as a container's command has.
        string[] command = ["sh", "-c", "kill -9 $(cat $GANG_DIR/pid)"];
        var code = await _client.NamespacedPodExecAsync(pod, Namespace, "worker", command, tty: false, static (_, output, error) => Task.WhenAll(output.CopyToAsync(Stream.Null), error.CopyToAsync(Stream.Null)), CancellationToken.None);
        if (code != 0) throw new InvalidOperationException($"kill in {pod} ended with {code}");
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _client.CoreV1.DeleteNamespaceAsync(Namespace);
        }
        finally
        {
            _client.Dispose();
        }
    }

    private static KubernetesClientConfiguration Configuration() =>
        KubernetesClientConfiguration.BuildConfigFromConfigFile(Variable("KUBECONFIG"), Variable("CONTEXT"));

    private static async Task<AgentDelivery> DeliveryAsync(k8s.Kubernetes client)
    {
        if (Variable("AGENT_IMAGE") is null) return AgentDelivery.InImage;
        switch (Variable("AGENT_DELIVERY"))
        {
            case "volume": return AgentDelivery.ImageVolume;
            case "init": return AgentDelivery.InitContainer;
            case { } other: throw new InvalidOperationException($"GANG_E2E_AGENT_DELIVERY is '{other}'; use volume or init.");
        }

        // Image volumes are on by default from 1.35 on and GA in 1.36.
        var minor = (await client.Version.GetCodeAsync()).Minor.TrimEnd('+');
        return int.Parse(minor, CultureInfo.InvariantCulture) >= 36 ? AgentDelivery.ImageVolume : AgentDelivery.InitContainer;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable("GANG_E2E_" + name) is { Length: > 0 } value ? value : null;

    private static InvalidOperationException Missing(string name, string what) => new($"GANG_E2E_{name} is not set: {what}. See docs/real-cluster.md.");
}
