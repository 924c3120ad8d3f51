using System.Threading.Channels;
using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>Pods that something else makes, as the room tells the machine of them.</summary>
public sealed class AdoptionTests
{
    private static readonly GangSpec Spec = Gang.Create("llm")
        .AddRole("trainer", r => r.WithCount(2).WithAdoptedPods("job-name=train"))
        .AddRole("eval", r => r.WithCount(1).WithAdoptedPods("app in (eval),!canary", "example.com/index"))
        .Build();

    [Fact]
    public async Task Watch_PodsOfTwoRoles_AreFoundByEachRolesSelectorAndNumberedByItsLabel()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeNames.Clear());
        await using var cluster = fixture.Factory().Create();
        await cluster.BindAsync(Spec, "https://a:1", default);
        using var client = fixture.Cluster.CreateClient();
        await CreateAsync(client, "before", ("job-name", "train"), (AdoptedPods.JobCompletionIndex, "1"));
        await CreateAsync(client, "other", ("job-name", "another"), (AdoptedPods.JobCompletionIndex, "0"));
        await CreateAsync(client, "canary", ("app", "eval"), ("canary", "yes"));
        fixture.Watch(cluster, Spec);
        await fixture.ExpectAsync<CacheSynced>();
        Assert.Equal(("before", "trainer", new WorkerId("trainer", 1)), Assert.Single(fixture.Seen.OfType<PodSeen>().Select(Told).Distinct()));

        await CreateAsync(client, "eval-x", ("app", "eval"), ("example.com/index", "0"), (AdoptedPods.JobCompletionIndex, "5"));
        Assert.Equal(("eval-x", "eval", new WorkerId("eval", 0)), Told(await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "eval-x")));
        await CreateAsync(client, "plain", ("job-name", "train"));
        Assert.Equal(("plain", "trainer", null), Told(await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "plain")));
        await CreateAsync(client, "odd", ("job-name", "train"), (AdoptedPods.JobCompletionIndex, "x1"));
        Assert.Equal(("odd", "trainer", null), Told(await fixture.ExpectAsync<PodSeen>(p => p.Pod.Name == "odd")));
        await client.CoreV1.DeleteNamespacedPodAsync("plain", "default", new V1DeleteOptions { GracePeriodSeconds = 0 });
        Assert.Equal("plain", (await fixture.ExpectAsync<PodGone>()).Name);
    }

    [Fact]
    public async Task Watch_OneRolesListIsLate_NothingCountsAsCompleteBefore()
    {
        await using var fixture = await Fixture.StartAsync();
        using var admin = fixture.Cluster.CreateClient();
        await CreateAsync(admin, "train-0", ("job-name", "train"), (AdoptedPods.JobCompletionIndex, "0"));
        await CreateAsync(admin, "eval-0", ("app", "eval"), ("example.com/index", "0"));
        var options = new KubernetesOptions();
        using var client = KubernetesConnection.Open(fixture.Cluster.CreateClientConfiguration(), options);
        var http = new HeldHttp(new KubernetesHttp(client), "eval");
        var watch = new GangWatch(http, new ApiCalls(options, client.BaseUri, TimeProvider.System, () => 0.5), options, TimeProvider.System, () => 0.5, fixture, Spec, "");
        var told = Channel.CreateUnbounded<GangInput>();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        var running = watch.RunAsync(i => told.Writer.TryWrite(i), patience.Token);
        var seen = new List<GangInput>();
        // Then the other Pods, the Nodes and their Leases are in.
        while (!(seen.OfType<PodSeen>().Any() && seen.OfType<NodeSeen>().Any() && seen.OfType<LeaseViewSeen>().Any())) seen.Add(await told.Reader.ReadAsync(patience.Token));
        http.LetGo();
        while (!(seen.OfType<CacheSynced>().Any() && seen.OfType<PodSeen>().Any(p => p.Pod.Name == "eval-0"))) seen.Add(await told.Reader.ReadAsync(patience.Token));
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        Assert.True(seen.FindIndex(i => i is PodSeen { Pod.Name: "eval-0" }) < seen.FindIndex(i => i is CacheSynced));
    }

    [Fact]
    public async Task BindAsync_AdoptedGang_MakesRecordAndSecretAndAsksForNoPod()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var cluster = fixture.Factory().Create();
        var binding = await cluster.BindAsync(Spec, "https://a:1", default);

        Assert.True(binding.RestartsInPlace);
        using var client = fixture.Cluster.CreateClient();
        Assert.NotNull(await client.CoreV1.ReadNamespacedSecretAsync("gang-llm", "default"));
        Assert.DoesNotContain((await client.CoreV1.ListNamespacedServiceAsync("default")).Items, s => s.Metadata.Name == "llm");
        Assert.DoesNotContain(fixture.Cluster.Requests.Snapshot(), r => r.Resource == "pods" && r.IsWrite);
        Assert.Empty(fixture.Logged);
    }

    [Fact]
    public async Task Lifecycle_WithoutTheRightToMakePodsAndServices_IsRefusedNothing()
    {
        await using var fixture = await Fixture.StartAsync();
        var rules = Permissions.All("default").Where(p => p.Resource != "services" && !(p.Resource == "pods" && p.Verb is "create" or "get"))
            .Select(p => new AccessRule([p.Verb], [p.Resource]) { ApiGroups = [p.Group], Namespaces = p.ClusterWide ? ["*"] : [p.Namespace] });
        var factory = fixture.Factory(fixture.Cluster.CreateToken("launcher", [.. rules]));
        using var admin = fixture.Cluster.CreateClient();
        await using (await factory.Leadership.AcquireAsync(Spec, _ => { }, default))
        {
            await using var cluster = factory.Create();
            await cluster.BindAsync(Spec, "https://a:1", default);
            fixture.Watch(cluster, Spec);
            await fixture.ExpectAsync<CacheSynced>();
            await cluster.SaveRecordAsync(Spec, new GangRecord { Attempt = 1, Phase = GangPhase.Running }, default);
            await CreateAsync(admin, "llm-0-abc", ("job-name", "train"), (AdoptedPods.JobCompletionIndex, "0"));
            var pod = (await fixture.ExpectAsync<PodSeen>()).Pod;
            await cluster.DeletePodAsync(Spec, pod.Name, pod.Uid, force: true, default);
            await fixture.ExpectAsync<PodGone>();
            await cluster.DeleteGangAsync(Spec, default);
        }

        Assert.DoesNotContain(fixture.Cluster.Requests.Snapshot(), r => r.Status == 403);
    }

    [Fact]
    public async Task SaveRecordAsync_PodsOfTheWorkers_AreReadAgain()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var first = fixture.Factory().Create();
        await first.BindAsync(Spec, "https://a:1", default);
        var record = new GangRecord { Attempt = 2, Phase = GangPhase.Running };
        record = record with { Adopted = record.Adopted.Add("trainer-0", "llm-0-x7k2p/uid-1").Add("eval-0", "eval-x/uid-2") };
        await first.SaveRecordAsync(Spec, record, default);
        await using var second = fixture.Factory().Create();
        Assert.Equal(record.Adopted, (await second.BindAsync(Spec, "https://a:1", default)).Record!.Adopted);
    }

    private static (string Name, string Role, WorkerId? Worker) Told(PodSeen seen) => (seen.Pod.Name, seen.Pod.Role, seen.Pod.Worker);

    private static Task<V1Pod> CreateAsync(IKubernetes client, string name, params (string Key, string Value)[] labels) => client.CoreV1.CreateNamespacedPodAsync(
        new V1Pod
        {
            Metadata = new V1ObjectMeta { Name = name, Labels = labels.ToDictionary(l => l.Key, l => l.Value) },
            Spec = new V1PodSpec { Containers = [new V1Container { Name = "main", Image = "i" }] },
        },
        "default");

    /// <summary>Holds back what asks for this.</summary>
    private sealed class HeldHttp(IKubernetesHttp http, string what) : IKubernetesHttp
    {
        private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void LetGo() => _gate.SetResult();

        public async Task<HttpResponseMessage> GetAsync(string relativeUri, string accept, CancellationToken cancellationToken)
        {
            if (relativeUri.Contains(what, StringComparison.Ordinal)) await _gate.Task.WaitAsync(cancellationToken);
            return await http.GetAsync(relativeUri, accept, cancellationToken);
        }
    }
}
