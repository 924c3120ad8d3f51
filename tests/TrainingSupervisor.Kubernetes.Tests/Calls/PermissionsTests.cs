using k8s;
using k8s.Models;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.Kubernetes.Tests.Calls;

/// <summary>deploy/role.yaml, the table in the code, and what the API server is really asked for are the same.</summary>
public sealed class PermissionsTests
{
    private static readonly PodRequest Request = new() { Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Incarnation = 1 };

    public static TheoryData<string, string, string> Each()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var p in Permissions.All("default").Where(p => p is { Resource: not "nodes", Namespace: "default" })) data.Add(p.Verb, p.Resource, p.Namespace);
        return data;
    }

    [Fact]
    public void RoleYaml_GrantsWhatTheCodeAsksForAndNothingElse()
    {
        var asked = Permissions.All("default").Select(p => $"{p.Group}/{p.Resource} {p.Verb} {(p.ClusterWide ? "cluster" : p.Namespace)}").Order(StringComparer.Ordinal);
        Assert.Equal(asked, Granted("role.yaml"));
    }

    [Fact]
    public void QuarantineRoleYaml_GrantsWhatMarkingNodesAsksForAndNothingElse()
    {
        var asked = Permissions.ToMarkNodes.Select(p => $"{p.Group}/{p.Resource} {p.Verb} {(p.ClusterWide ? "cluster" : p.Namespace)}").Order(StringComparer.Ordinal);
        Assert.Equal(asked, Granted("role-quarantine.yaml"));
    }

    [Fact]
    public async Task MarkNode_WithTheRoleForIt_TouchesOnlyItsOwnTaint()
    {
        await using var fixture = await Fixture.StartAsync();
        using var admin = fixture.Cluster.CreateClient();
        var name = fixture.Cluster.Nodes.First().Name;
        await fixture.Cluster.Nodes[name].AddTaintAsync(new NodeTaint("dedicated", "training", "NoSchedule"));
        await using var cluster = fixture.Factory(fixture.Cluster.CreateToken("launcher", [.. Permissions.ToMarkNodes.Select(Allow)])).Create();
        await cluster.MarkNodeAsync(Fixture.Spec, name, quarantined: true, default);
        await cluster.MarkNodeAsync(Fixture.Spec, name, quarantined: true, default);
        var marked = (await admin.CoreV1.ReadNodeAsync(name)).Spec.Taints.Select(t => $"{t.Key}={t.Value}:{t.Effect}").ToList();
        await cluster.MarkNodeAsync(Fixture.Spec, name, quarantined: false, default);
        await cluster.MarkNodeAsync(Fixture.Spec, name, quarantined: false, default);
        var left = (await admin.CoreV1.ReadNodeAsync(name)).Spec.Taints.Select(t => $"{t.Key}={t.Value}:{t.Effect}").ToList();
        await cluster.MarkNodeAsync(Fixture.Spec, "node-that-is-gone", quarantined: true, default);

        Assert.Equal(["dedicated=training:NoSchedule", "llm.default.quarantine.training-supervisor.dev/node-failed=:NoSchedule"], marked);
        Assert.Equal(["dedicated=training:NoSchedule"], left);
        Assert.Equal(2, fixture.Cluster.Requests.Count(r => r is { Resource: "nodes", Verb: "patch" } && r.UserAgent.Length >= 0 && r.Status == 200));
    }

    [Fact]
    public async Task MarkNode_WithoutTheRoleForIt_NamesIt()
    {
        await using var fixture = await Fixture.StartAsync();
        await using var cluster = fixture.Factory(fixture.Cluster.CreateToken("launcher", [.. Permissions.All("default").Select(Allow)])).Create();
        var e = await Assert.ThrowsAsync<RejectedException>(() => cluster.MarkNodeAsync(Fixture.Spec, fixture.Cluster.Nodes.First().Name, quarantined: true, default));

        Assert.Contains(Permissions.Of("get", "nodes").ToRole(), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lifecycle_WithTheRole_UsesEveryPermissionAndIsRefusedNone()
    {
        await using var fixture = await Fixture.StartAsync();
        await LiveAsync(fixture, fixture.Cluster.CreateToken("launcher", [.. Permissions.All("default").Select(Allow)]));

        var used = fixture.Cluster.Requests.Snapshot().Where(r => r.UserAgent.Length >= 0 && r.Verb != "post").ToList();
        Assert.DoesNotContain(used, r => r.Status == 403);
        Assert.DoesNotContain(fixture.Logged, l => l.Contains("without the right", StringComparison.Ordinal));
        foreach (var p in Permissions.All("default"))
        {
            Assert.Contains(used, r => r.Verb == p.Verb && r.Resource == p.Resource && (p.ClusterWide || r.Namespace == p.Namespace));
        }
    }

    [Theory]
    [MemberData(nameof(Each))]
    public async Task Lifecycle_OnePermissionMissing_NamesTheRoleThatGrantsIt(string verb, string resource, string ns)
    {
        await using var fixture = await Fixture.StartAsync();
        var missing = Permissions.Of(verb, resource, ns);
        var token = fixture.Cluster.CreateToken("launcher", [.. Permissions.All("default").Where(p => p != missing).Select(Allow)]);
        var e = await Assert.ThrowsAsync<RejectedException>(() => LiveAsync(fixture, token));

        Assert.Contains(missing.ToString(), e.Message, StringComparison.Ordinal);
        Assert.Contains(missing.ToRole(), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_NamespacedRightsOnly_WorksWithOneWarning()
    {
        await using var fixture = await Fixture.StartAsync();
        var token = fixture.Cluster.CreateToken("launcher", [.. Permissions.All("default").Where(p => p.Namespace == "default").Select(Allow)]);
        await LiveAsync(fixture, token);

        var warning = Assert.Single(fixture.Logged, l => l.Contains("going on", StringComparison.Ordinal));
        Assert.Contains("list nodes", warning, StringComparison.Ordinal);
        Assert.Contains("list leases in namespace kube-node-lease", warning, StringComparison.Ordinal);
        Assert.DoesNotContain(fixture.Seen, i => i is NodeSeen or LeaseViewSeen);
    }

    [Fact]
    public async Task Watch_MayListNodesButNotWatchThem_SaysNothingThatGrowsOld()
    {
        await using var fixture = await Fixture.StartAsync();
        var token = fixture.Cluster.CreateToken("launcher", [.. Permissions.All("default").Where(p => p.Verb != "watch" || p.Namespace == "default").Select(Allow)]);
        await LiveAsync(fixture, token);
        await Watching.WatchRig.UntilAsync(() => fixture.Logged.Count(l => l.Contains("going on", StringComparison.Ordinal)) == 2, () => string.Join('\n', fixture.Logged));
    }

    /// <summary>All that a launcher's gang goes through, with what older ones have left in its way.</summary>
    private static async Task LiveAsync(Fixture fixture, string token)
    {
        using var admin = fixture.Cluster.CreateClient();
        var factory = fixture.Factory(token);
        await using (var term = await factory.Leadership.AcquireAsync(Fixture.Spec, _ => { }, default))
        {
            await using var cluster = factory.Create();
            await cluster.BindAsync(Fixture.Spec, "https://a:1", default);
            // Again with another address, and over a Service that was there already.
            await cluster.BindAsync(Fixture.Spec, "https://b:1", default);
            await admin.CoreV1.DeleteNamespacedServiceAsync("llm", "default");
            await admin.CoreV1.CreateNamespacedServiceAsync(new V1Service { Metadata = Leftovers.Meta("llm"), Spec = new V1ServiceSpec { ClusterIP = "None" } }, "default");
            await cluster.BindAsync(Fixture.Spec, "https://b:1", default);
            fixture.Watch(cluster);
            var synced = fixture.ExpectAsync<CacheSynced>();
            await await Task.WhenAny(synced, fixture.Watching);
            await synced;
            await cluster.SaveRecordAsync(Fixture.Spec, new GangRecord { Attempt = 1, Phase = GangPhase.Running }, default);
            await cluster.CreatePodAsync(Fixture.Spec, Request, default);
            await cluster.CreatePodAsync(Fixture.Spec, Request, default);
            var seen = fixture.ExpectAsync<PodSeen>();
            await await Task.WhenAny(seen, fixture.Watching);
            var pod = (await seen).Pod;
            await cluster.DeletePodAsync(Fixture.Spec, pod.Name, pod.Uid, force: true, default);
            await fixture.ExpectAsync<PodGone>();
            await Watching.WatchRig.UntilAsync(() => fixture.Cluster.Requests.Count(r => r.Resource == "leases" && r.Verb == "update") >= 2 || term.Lost.IsCancellationRequested);
            await cluster.DeleteGangAsync(Fixture.Spec, default);
        }

        Assert.Equal("", (await admin.CoordinationV1.ReadNamespacedLeaseAsync("gang-llm", "default")).Spec.HolderIdentity);
    }

    private static AccessRule Allow(Permission p) => new([p.Verb], [p.Resource])
    {
        ApiGroups = [p.Group],
        Namespaces = p.ClusterWide ? ["*"] : [p.Namespace],
    };

    private static IEnumerable<string> Granted(string file) =>
        Rules(file).SelectMany(r => r.Rule.ApiGroups.SelectMany(g => r.Rule.Resources.SelectMany(o => r.Rule.Verbs.Select(v => $"{g}/{o} {v} {r.Scope}")))).Order(StringComparer.Ordinal);

    private static IEnumerable<(V1PolicyRule Rule, string Scope)> Rules(string file)
    {
        foreach (var document in KubernetesYaml.LoadAllFromString(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "deploy", file))))
        {
            var (rules, scope) = document switch
            {
                V1Role role => (role.Rules, role.Metadata.NamespaceProperty ?? "default"),
                V1ClusterRole role => (role.Rules, "cluster"),
                _ => throw new InvalidOperationException($"what is a {document} doing in {file}?"),
            };
            foreach (var rule in rules) yield return (rule, scope);
        }
    }
}
