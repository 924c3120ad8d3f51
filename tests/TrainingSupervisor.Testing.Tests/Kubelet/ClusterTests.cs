using k8s;
using k8s.Models;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class ClusterTests
{
    [Fact]
    public async Task Cluster_PodThroughTheClient_RunsAndIsKilledOnDispose()
    {
        IReadOnlyList<int> processes = [];
        await using (var cluster = await EmbeddedCluster.StartAsync(new() { NodeCount = 2 }))
        {
            using var client = cluster.CreateClient();
            await client.CoreV1.CreateNamespacedPodAsync(new V1Pod
            {
                Metadata = new() { Name = "p" },
                Spec = new() { RestartPolicy = "Never", Containers = [new() { Name = "main", Image = "x", Command = ["/bin/sh", "-c", "echo hi; sleep 300"] }] },
            }, "default");
            await UntilAsync(() => cluster.Plane.Kubelets.Any(k => k.Find("default", "p")?.Find("main")?.Current is not null));
            await UntilAsync(() => cluster.ReadLogAsync("p").Result == "hi\n");
            processes = cluster.FindProcesses("p", "main");
            Assert.NotEmpty(processes);
            Assert.Contains(cluster.GetContainerProcessId("p", "main")!.Value, processes);
            Assert.Equal(2, (await client.CoreV1.ListNodeAsync()).Items.Count);
        }

        Assert.DoesNotContain(processes, p => File.Exists($"/proc/{p}/environ") && Runtime.ProcessTree.Find("EMBEDDED_CONTAINER_ID", "x", p).Contains(p));
    }
}
