using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd;

/// <summary>
/// An embedded cluster in a process of its own, to be used through a kubeconfig like a real one. It runs until the token is cancelled.
/// </summary>
internal static class SeparateCluster
{
    public const string AgentImage = "local/gang-agent:1";

    /// <param name="args">How many nodes, a directory for the kubeconfigs <c>admin</c> and <c>user</c>, the file of the ClusterRole that the user has, the directory of the agent's image.</param>
    /// <param name="stop">Ends the cluster.</param>
    public static async Task<int> RunAsync(string[] args, CancellationToken stop)
    {
        if (args is not [var nodes, var directory, var roleFile, var agentDirectory])
        {
            await Console.Error.WriteLineAsync("usage: e2e-supervisor cluster NODES DIRECTORY ROLE AGENT_DIRECTORY");
            return 2;
        }

        // Namespaces must be made before they are used, as in a real cluster.
        var options = new EmbeddedClusterOptions { NodeCount = int.Parse(nodes, System.Globalization.CultureInfo.InvariantCulture), CreateNamespaces = false };
        await using var cluster = await EmbeddedCluster.StartAsync(options, stop);
        cluster.AddImage(AgentImage, agentDirectory);
        var role = KubernetesYaml.Deserialize<V1ClusterRole>(await File.ReadAllTextAsync(roleFile, stop));
        var token = cluster.CreateToken("gang-e2e", [.. role.Rules.Select(r => new AccessRule([.. r.Verbs], [.. r.Resources]) { ApiGroups = [.. r.ApiGroups] })]);
        cluster.WriteKubeConfig(Path.Combine(directory, "admin"));
        await File.WriteAllTextAsync(Path.Combine(directory, "user"), cluster.CreateKubeConfig(token), stop);
        Console.Out.WriteLine("ready");
        await Task.Delay(Timeout.Infinite, stop).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return 0;
    }
}
