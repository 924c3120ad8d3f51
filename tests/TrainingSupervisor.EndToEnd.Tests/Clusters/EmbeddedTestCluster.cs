using System.Diagnostics;
using System.Reflection;
using k8s;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests;

internal sealed class EmbeddedTestCluster(EmbeddedCluster cluster) : ITestCluster
{
    private const string AgentImage = "local/gang-agent:1";

    public EmbeddedCluster Embedded => cluster;
    public string Namespace => "default";
    public TimeSpan Patience => TimeSpan.FromSeconds(180);

    public string KubeConfigFile
    {
        get
        {
            var path = Path.Combine(cluster.DataDirectory, "kubeconfig");
            if (!File.Exists(path)) cluster.WriteKubeConfig(path);
            return path;
        }
    }

    public static async Task<EmbeddedTestCluster> StartAsync(int nodes, Action<EmbeddedClusterOptions>? configure)
    {
        var options = new EmbeddedClusterOptions { NodeCount = nodes, NodeLeaseDuration = TimeSpan.FromSeconds(4) };
        configure?.Invoke(options);
        var cluster = await EmbeddedCluster.StartAsync(options);
        cluster.AddImage(AgentImage, Metadata("AgentDirectory"));
        return new EmbeddedTestCluster(cluster);
    }

    public static string Metadata(string key) =>
        typeof(EmbeddedTestCluster).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;

    public KubernetesClientConfiguration CreateConfiguration() => cluster.CreateClientConfiguration();

    public GangRequest Request(int workers, int spares, IReadOnlyList<string> command) => new()
    {
        Name = "job",
        Namespace = Namespace,
        Workers = workers,
        Spares = spares,
        WorkerImage = "local/worker:1",
        Command = command,
        Agent = AgentImage,
    };

    public async Task KillWorkerAsync(string pod)
    {
        // Containers are processes of this machine: the worker is the one that the agent is the parent of.
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            var agent = cluster.GetContainerProcessId(pod, "worker");
            var workers = cluster.FindProcesses(pod, "worker").Where(id => id != agent && ParentOf(id) == agent).ToList();
            foreach (var id in workers)
            {
                using var process = Process.GetProcessById(id);
                process.Kill();
            }

            if (workers.Count > 0) return;
            await Task.Delay(5, patience.Token);
        }
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    private static int ParentOf(int id)
    {
        try
        {
            // "pid (name) state ppid ...": the name may hold anything but ends with the last parenthesis.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
