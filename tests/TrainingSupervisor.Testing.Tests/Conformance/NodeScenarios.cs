using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>A node whose kubelet dies and comes back, with three Pods on it, alone or among healthy nodes.</summary>
internal static class NodeScenarios
{
    private static readonly string[] s_pods = ["nd-short", "nd-default", "nd-always"];

    public static IEnumerable<Scenario> All()
    {
        foreach (var (name, others) in ((string, bool)[])[("node-notready", true), ("node-notready-only-node", false)])
        {
            yield return new Scenario("Nodes", name, ct => RunAsync(name, others, ct)) with
            {
                Note = "with a Lease of 4 s and tolerationSeconds of 1 s",
            };
        }
    }

    private static async Task<IReadOnlyList<string>> RunAsync(string name, bool others, CancellationToken ct)
    {
        await using var stage = await Stage.StartAsync(o => o.NodeLeaseDuration = TimeSpan.FromSeconds(4));
        await stage.WatchAsync("/api/v1/namespaces/default/pods");
        await stage.WatchAsync("/api/v1/nodes");
        foreach (var pod in s_pods)
        {
            var manifest = Manifests.Load(pod);
            await stage.CreateAsync(manifest);
            await PodScenarios.SettledAsync(stage, manifest);
        }

        for (var i = 2; others && i <= 5; i++)
        {
            await stage.Cluster.AddNodeAsync($"node-{i}", cancellationToken: ct);
        }

        stage.Forget();
        await stage.Node.StopKubeletAsync();
        string? Renewed() => stage.Cluster.Store.Get(ResourceType.Leases, "kube-node-lease", "node-1").At("spec").Text("renewTime");
        var renewed = Renewed();
        Assert.True(await stage.UntilAsync((_, o) => o.Name() == "node-1" && NodeStates.Describe(o).Contains("Ready=Unknown", StringComparison.Ordinal)));
        if (others)
        {
            Assert.True(await stage.UntilAsync((_, o) => o.Name() == "nd-always" && o.At("metadata").Text("deletionTimestamp") is not null));
            Assert.True(await stage.UntilAsync((_, o) => o.Name() == "nd-short" && o.At("metadata").Text("deletionTimestamp") is not null));
        }
        else
        {
            // Longer than the Pods tolerate, to see that nothing is evicted.
            await Task.Delay(1500, ct);
        }

        // As recorded, the Lease is what stops first.
        IEnumerable<string> late = Renewed() == renewed ? [] : ["The Lease was renewed without a kubelet."];
        await stage.Node.StartKubeletAsync();
        await Stage.PollAsync(() => Renewed() != renewed);
        var differences = new List<string>(late);
        foreach (var pod in s_pods)
        {
            var recorded = Recording.Pod(name, pod);
            differences.AddRange(await PodScenarios.CompareAsync(stage, recorded, pod));
        }

        await stage.UntilAsync((_, o) => o.Name() == "node-1" && NodeStates.Describe(o).StartsWith("[] ", StringComparison.Ordinal) && NodeStates.Describe(o).Contains("Ready=True", StringComparison.Ordinal));
        await stage.Node.CordonAsync();
        await stage.UntilAsync((_, o) => o.Name() == "node-1" && NodeStates.Describe(o).StartsWith("cordoned [node.kubernetes.io/unschedulable", StringComparison.Ordinal));
        await stage.Node.UncordonAsync();
        var nodes = Recording.Node(name);
        await stage.LastIsAsync("node-1", (_, o) => NodeStates.Describe(o) == nodes[^1].State);
        differences.AddRange(SequenceComparer.Compare(nodes, stage.States("node-1", (_, o) => NodeStates.Describe(o))));
        return differences;
    }
}
