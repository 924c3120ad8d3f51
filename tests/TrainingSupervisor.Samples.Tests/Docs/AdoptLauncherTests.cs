using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Samples.Tests.Docs;

/// <summary>The Job of docs/adopt.md makes Pods that its gang finds, as many as it has workers, and an API server takes them.</summary>
public sealed class AdoptLauncherTests
{
    [Fact]
    public async Task Job_OfTheDocs_MakesThePodsOfItsGang()
    {
        var gang = AdoptLauncher.Describe();
        var job = AdoptLauncher.Job(gang);

        Assert.Equal((gang.WorldSize, gang.WorldSize), (job.Spec.Completions, job.Spec.Parallelism));
        Assert.Equal($"batch.kubernetes.io/job-name={job.Metadata.Name}", gang.Roles[0].Adopted!.Selector);
        Assert.Null(job.Spec.PodFailurePolicy);
        await using var cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions { NodeCount = 1 });
        using var client = cluster.CreateClient();
        var pod = await client.CoreV1.CreateNamespacedPodAsync(
            new V1Pod { Metadata = new V1ObjectMeta { GenerateName = "llm-0-", Labels = job.Spec.Template.Metadata.Labels }, Spec = job.Spec.Template.Spec }, "default", dryRun: "All");
        Assert.Equal("RestartAllContainers", pod.Spec.Containers[0].RestartPolicyRules[0].Action);
        Assert.Equal(["/gang/agent/gang-agent", "run", "--", "python", "train.py"], pod.Spec.Containers[0].Command);
    }
}
