using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes.Tests.Records;

/// <summary>A gang of the same name was here before, or somebody else's objects have the names that we want.</summary>
public sealed class LeftoverTests
{
    private static readonly PodRequest Request = new() { Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Incarnation = 1 };

    [Fact]
    public async Task Bind_SecretAndServiceOfAnOlderGang_AreTakenOver()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        using var client = fixture.Cluster.CreateClient();
        var old = new V1Secret { Metadata = Leftovers.Meta("gang-llm"), Data = GangSecret.Create(Fixture.Spec, "https://old:1", DateTimeOffset.UtcNow) };
        await client.CoreV1.CreateNamespacedSecretAsync(old, "default");
        await client.CoreV1.CreateNamespacedServiceAsync(new V1Service { Metadata = Leftovers.Meta("llm"), Spec = new V1ServiceSpec { ClusterIP = "None" } }, "default");
        await using var cluster = fixture.Factory().Create();
        var binding = await cluster.BindAsync(Fixture.Spec, "https://a:1", default);

        var record = await client.CoreV1.ReadNamespacedConfigMapAsync("gang-llm", "default");
        var secret = await client.CoreV1.ReadNamespacedSecretAsync("gang-llm", "default");
        Assert.Equal(record.Metadata.Uid, Assert.Single(secret.Metadata.OwnerReferences).Uid);
        Assert.Equal(binding.Credentials.Token, GangSecret.Read(secret).Token);
        Assert.NotEqual(GangSecret.Read(old).Token, binding.Credentials.Token);
        Assert.Equal(record.Metadata.Uid, Assert.Single((await client.CoreV1.ReadNamespacedServiceAsync("llm", "default")).Metadata.OwnerReferences).Uid);
    }

    [Theory]
    [InlineData("ConfigMap")]
    [InlineData("Secret")]
    [InlineData("Service")]
    public async Task Bind_ObjectOfSomebodyElse_IsLeftAlone(string kind)
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        using var client = fixture.Cluster.CreateClient();
        var meta = new V1ObjectMeta { Name = kind == "Service" ? "llm" : "gang-llm" };
        switch (kind)
        {
            case "ConfigMap": await client.CoreV1.CreateNamespacedConfigMapAsync(new V1ConfigMap { Metadata = meta }, "default"); break;
            case "Secret": await client.CoreV1.CreateNamespacedSecretAsync(new V1Secret { Metadata = meta }, "default"); break;
            default: await client.CoreV1.CreateNamespacedServiceAsync(new V1Service { Metadata = meta, Spec = new V1ServiceSpec { ClusterIP = "None" } }, "default"); break;
        }

        await using var cluster = fixture.Factory().Create();
        var e = await Assert.ThrowsAsync<RejectedException>(() => cluster.BindAsync(Fixture.Spec, "https://a:1", default));
        Assert.StartsWith($"The {kind} {meta.Name} exists in namespace default", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bind_AnswersLost_IsBoundAllTheSame()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        using var fault = fixture.Cluster.Api.AbortRequests(r => r.IsWrite && r.Resource is "configmaps" or "secrets", count: 2, afterActing: true);
        await using var cluster = fixture.Factory().Create();
        var binding = await cluster.BindAsync(Fixture.Spec, "https://a:1", default);

        using var client = fixture.Cluster.CreateClient();
        Assert.Equal(GangSecret.Read(await client.CoreV1.ReadNamespacedSecretAsync("gang-llm", "default")).Token, binding.Credentials.Token);
    }

    [Fact]
    public async Task CreatePod_PodOfAnOlderGangHasTheName_MakesWayForOurs()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        using var client = fixture.Cluster.CreateClient();
        await client.CoreV1.CreateNamespacedPodAsync(Leftovers.Pod(Request.Name), "default");
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);

        var e = await Assert.ThrowsAsync<SupervisorException>(() => cluster.CreatePodAsync(Fixture.Spec, Request, default));
        Assert.Contains("left of an older gang", e.Message, StringComparison.Ordinal);
        await cluster.CreatePodAsync(Fixture.Spec, Request, default);
        Assert.Equal("ConfigMap", Assert.Single((await client.CoreV1.ReadNamespacedPodAsync(Request.Name, "default")).Metadata.OwnerReferences).Kind);
    }

    [Fact]
    public async Task CreatePod_PodOfSomebodyElseHasTheName_IsLeftAlone()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        using var client = fixture.Cluster.CreateClient();
        var pod = Leftovers.Pod(Request.Name);
        pod.Metadata.Labels = null;
        await client.CoreV1.CreateNamespacedPodAsync(pod, "default");
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);

        await Assert.ThrowsAsync<RejectedException>(() => cluster.CreatePodAsync(Fixture.Spec, Request, default));
        Assert.Single((await client.CoreV1.ListNamespacedPodAsync("default")).Items);
    }

    [Fact]
    public async Task CreatePod_ConfigurePodThrows_SaysWhose()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(1).WithImage("i").WithCommand("c").WithAgentFromImageVolume("agent:1")
            .ConfigurePod(p => p.Metadata.Annotations.Add("a", "b"))).Build();
        await using var cluster = fixture.Factory().Create();
        var e = await Assert.ThrowsAsync<RejectedException>(() => cluster.BindAsync(spec, "https://a:1", default));
        Assert.Contains("ConfigurePod of role 'trainer' threw NullReferenceException", e.Message, StringComparison.Ordinal);
    }
}
