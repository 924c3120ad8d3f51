using k8s;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests;

public sealed class GangClusterTests
{
    private static readonly PodRequest Request = new() { Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Incarnation = 1 };

    [Fact]
    public async Task BindAsync_NewGang_MakesRecordSecretAndService()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var cluster = fixture.Factory().Create();
        var binding = await cluster.BindAsync(Fixture.Spec, "https://1.2.3.4:5", default);

        Assert.Null(binding.Record);
        Assert.True(binding.RestartsInPlace);
        using var client = fixture.Cluster.CreateClient();
        var secret = await client.CoreV1.ReadNamespacedSecretAsync("gang-llm", "default");
        Assert.Equal("https://1.2.3.4:5", System.Text.Encoding.ASCII.GetString(secret.Data["endpoint"]));
        Assert.Equal("None", (await client.CoreV1.ReadNamespacedServiceAsync("llm", "default")).Spec.ClusterIP);
        Assert.Equal("(credentials)", binding.Credentials.ToString());
    }

    [Fact]
    public async Task BindAsync_SecondTime_ReadsTheRecordAndMovesTheEndpoint()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var first = fixture.Factory().Create();
        var before = await first.BindAsync(Fixture.Spec, "https://a:1", default);
        var plan = new RecoveryPlan { Attempt = 3, Steps = [new WorkerStep(new WorkerId("trainer", 1), RecoveryStep.Recreate, "why") { Pod = "p", OldPod = "o" }] };
        await first.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 3, Phase = GangPhase.Recovering, Plan = plan }, default);

        await using var second = fixture.Factory().Create();
        var binding = await second.BindAsync(Fixture.Spec, "https://b:2", default);

        Assert.Equal((3, GangPhase.Recovering), (binding.Record!.Attempt, binding.Record.Phase));
        Assert.Equal(plan.Steps[0], binding.Record.Plan!.Steps[0]);
        Assert.Equal(before.Credentials.Token, binding.Credentials.Token);
    }

    [Fact]
    public async Task SaveRecordAsync_AnotherWrote_Conflicts()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var first = fixture.Factory().Create();
        await using var second = fixture.Factory().Create();
        await first.BindAsync(Fixture.Spec, "https://a:1", default);
        await second.BindAsync(Fixture.Spec, "https://a:1", default);
        await second.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 2, Phase = GangPhase.Running }, default);

        await Assert.ThrowsAsync<RecordConflictException>(() => first.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 5 }, default));
    }

    [Fact]
    public async Task BindAsync_GateOff_SaysThatItCannotRestartInPlace()
    {
        await using var fixture = await Fixture.StartAsync(o => o.RestartAllContainers = false);
        await using var cluster = fixture.Factory().Create();
        Assert.False((await cluster.BindAsync(Fixture.Spec, "https://a:1", default)).RestartsInPlace);
    }

    [Fact]
    public async Task BindAsync_FieldDropped_SaysThatItCannotRestartInPlace()
    {
        await using var fixture = await Fixture.StartAsync(o => o.ContainerRestartRules = false);
        await using var cluster = fixture.Factory().Create();
        Assert.False((await cluster.BindAsync(Fixture.Spec, "https://a:1", default)).RestartsInPlace);
    }

    [Fact]
    public async Task CreatePodAsync_Twice_MakesOnePodAndDeleteNeedsItsUid()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeNames.Clear());
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
        await cluster.CreatePodAsync(Fixture.Spec, Request, default);
        await cluster.CreatePodAsync(Fixture.Spec, Request, default);

        using var client = fixture.Cluster.CreateClient();
        var pod = Assert.Single((await client.CoreV1.ListNamespacedPodAsync("default")).Items);
        Assert.Equal(["/gang/agent/gang-agent", "run", "--", "train"], pod.Spec.Containers[0].Command);
        Assert.Equal("RestartAllContainers", pod.Spec.Containers[0].RestartPolicyRules[0].Action);
        Assert.DoesNotContain(pod.Spec.Volumes.First(v => v.Name == "gang-secret").Secret.Items, i => i.Key == "tls.key");

        await cluster.DeletePodAsync(Fixture.Spec, Request.Name, "another-uid", force: true, default);
        Assert.Single((await client.CoreV1.ListNamespacedPodAsync("default")).Items);
        await cluster.DeletePodAsync(Fixture.Spec, Request.Name, pod.Metadata.Uid, force: true, default);
        Assert.Empty((await client.CoreV1.ListNamespacedPodAsync("default")).Items);
    }

    [Fact]
    public async Task BindAsync_Forbidden_NamesTheRoleThatWouldAllowIt()
    {
        await using var fixture = await Fixture.StartAsync();
        var token = fixture.Cluster.CreateToken("launcher");
        await using var cluster = fixture.Factory(token).Create();
        var e = await Assert.ThrowsAnyAsync<SupervisorException>(() => cluster.BindAsync(Fixture.Spec, "https://a:1", default));

        Assert.Contains("get configmaps in namespace default", e.Message, StringComparison.Ordinal);
        Assert.Contains("""resources: ["configmaps"], verbs: ["get"]""", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(token, e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task BindAsync_ConnectionRefused_NamesTheServer()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var cluster = fixture.Factory().Create();
        await fixture.Cluster.Api.StopServerAsync();
        var e = await Assert.ThrowsAnyAsync<SupervisorException>(() => cluster.BindAsync(Fixture.Spec, "https://a:1", default));
        Assert.Contains($"{fixture.Cluster.Address} cannot be reached", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SaveRecordAsync_ServerBusyTwice_TriesAgain()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
        using var fault = fixture.Cluster.Api.FailRequests(500, where: r => r.IsWrite, count: 2);
        await cluster.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 7, Phase = GangPhase.Running }, default);

        await using var next = fixture.Factory().Create();
        Assert.Equal(7, (await next.BindAsync(Fixture.Spec, "https://a:1", default)).Record!.Attempt);
    }
}
