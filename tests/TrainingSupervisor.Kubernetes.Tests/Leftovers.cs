using k8s.Models;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>What a gang of the same name has left. Its owner is of a kind that the embedded garbage collector does not know.</summary>
internal static class Leftovers
{
    public static V1ObjectMeta Meta(string name) => new()
    {
        Name = name,
        Labels = new Dictionary<string, string> { [Labels.Gang] = "llm" },
        OwnerReferences = [new V1OwnerReference { ApiVersion = "example.com/v1", Kind = "Record", Name = "gang-llm", Uid = "older" }],
    };

    public static V1Pod Pod(string name) => new()
    {
        Metadata = Meta(name),
        Spec = new V1PodSpec { SchedulerName = "nobody", Containers = [new V1Container { Name = "worker", Image = "w" }] },
    };
}
