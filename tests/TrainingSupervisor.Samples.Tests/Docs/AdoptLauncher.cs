using k8s;
using k8s.Models;

namespace TrainingSupervisor.Samples.Tests.Docs;

/// <summary>The launcher of docs/adopt.md, word for word.</summary>
internal static class AdoptLauncher
{
    public static GangSpec Describe()
    {
        var gang = Gang.Create("llm")
            .AddRole("trainer", role => role
                .WithCount(8)
                .WithAdoptedPods("batch.kubernetes.io/job-name=llm")
                .WithImage("registry.example/train:1")
                .WithCommand("python", "train.py")
                .WithAgentFromImageVolume("registry.example/gang-agent:1"))
            .WithBarrierDeadline(TimeSpan.FromMinutes(20))
            .Build();
        return gang;
    }

    public static V1Job Job(GangSpec gang)
    {
        var job = new V1Job
        {
            Metadata = new V1ObjectMeta { Name = "llm" },
            Spec = new V1JobSpec
            {
                CompletionMode = "Indexed",
                Completions = 8,
                Parallelism = 8,
                BackoffLimitPerIndex = 1000,
                Template = gang.ToPodTemplate("trainer"),
            },
        };
        return job;
    }

    public static async Task<GangResult> RunAsync(ITrainingSupervisor supervisor, IKubernetes client, GangSpec gang, V1Job job)
    {
        await client.BatchV1.CreateNamespacedJobAsync(job, "default");
        var handle = await supervisor.LaunchAsync(gang);
        var result = await handle.WaitAsync();
        if (!result.Succeeded) await client.BatchV1.DeleteNamespacedJobAsync("llm", "default", propagationPolicy: "Background");
        return result;
    }
}
