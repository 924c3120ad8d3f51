using System.Text.Json;
using k8s;
using k8s.Models;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

public sealed class PodReaderTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_AProxyThatAWebhookHasPutFirst_IsNotTheWorker(bool sidecar)
    {
        var spec = Gang.Create("llm").AddRole("trainer", r =>
        {
            r.WithCount(2).WithImage("train:1").WithAgentFromImageVolume("agent:1");
            if (sidecar) r.AsSidecar();
            else r.WithCommand("train");
        }).Build();
        var owner = new V1OwnerReference { Uid = "owner" };
        var pod = PodFactory.Create(spec, new() { Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0) }, owner, restartsInPlace: true);
        pod.Spec.Containers.Insert(0, new V1Container { Name = "istio-proxy", Env = [new V1EnvVar { Name = "POD_NAME", Value = "x" }] });

        Assert.Equal("worker", Read(pod).WorkerContainer);
    }

    [Fact]
    public void Read_NoContainerThatIsToldOfTheGang_TakesTheFirst() =>
        Assert.Equal("a", Read(new V1Pod
        {
            Metadata = new V1ObjectMeta { OwnerReferences = [new V1OwnerReference { Uid = "owner" }] },
            Spec = new V1PodSpec { Containers = [new V1Container { Name = "a" }, new V1Container { Name = "b" }] },
        }).WorkerContainer);

    private static Observations.PodObservation Read(V1Pod pod)
    {
        using var json = JsonDocument.Parse(KubernetesJson.Serialize(pod));
        return PodReader.Read(json.RootElement, "llm-trainer-0-1", "uid", "owner")!;
    }
}
