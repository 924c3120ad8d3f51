using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Testing.Storage;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class RestartAllTests
{
    private const string Rule = """
        "restartPolicy":"Never","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[88]}}]
        """;

    private const string Shared = """
        "volumes":[{"name":"shared","emptyDir":{}}]
        """;

    private const string Mount = """
        "volumeMounts":[{"name":"shared","mountPath":"/shared"}]
        """;

    [Fact]
    public async Task RestartAll_SingleContainer_ShowsTheRecordedTransitions()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "if [ -e /shared/x ]; then sleep 100; fi; touch /shared/x; exit 88", $"{Rule},{Mount}")], spec: Shared);
        await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 1 && Status(p, "main").At("state").At("running") is not null);

        Assert.Equal(
            [
                "Running ARS=T Init=T Ready=F PRSC=T | main=T:88/Error#0 last=- F",
                "Running ARS=F Init=T Ready=F PRSC=T | main=W:RestartingAllContainers#1 last=T:137/RestartingAllContainers F",
                "Running ARS=F Init=T Ready=T PRSC=T | main=R#1 last=T:137/RestartingAllContainers T",
            ],
            (await cluster.HistoryAsync("p")).TakeLast(3));
    }

    [Fact]
    public async Task RestartAll_InitSidecarAndPeers_RunAgainInOrder()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p",
            [
                Shell("main", "if [ -e /shared/x ]; then exec sleep 100; fi; touch /shared/x; sleep 0.3; exit 88", $"{Rule},{Mount}"),
                Shell("peer", "exec sleep 100"),
            ],
            spec: Shared,
            init: [Shell("init", "sleep 0.1"), Shell("sidecar", "exec sleep 100", "\"restartPolicy\":\"Always\"")]);
        await cluster.WaitAsync("p", p => Status(p, "peer").Number("restartCount") == 1 && Condition(p, "Ready") == "True");

        const string Last = "last=T:137/RestartingAllContainers";
        var history = await cluster.HistoryAsync("p");
        Assert.Equal(
            [
                "Running ARS=T Init=T Ready=F PRSC=T | init=T:0/Completed#0 last=- T sidecar=R#0 last=- T main=T:88/Error#0 last=- F peer=R#0 last=- T",
                $"Running ARS=F Init=T Ready=F PRSC=T | init=W:RestartingAllContainers#1 {Last} T sidecar=W:RestartingAllContainers#1 {Last} F main=W:RestartingAllContainers#1 {Last} F peer=W:RestartingAllContainers#1 {Last} F",
                $"Pending ARS=F Init=T Ready=F PRSC=T | init=R#1 {Last} F sidecar=W:PodInitializing#1 {Last} F main=W:PodInitializing#1 {Last} F peer=W:PodInitializing#1 {Last} F",
            ],
            history.SkipWhile(l => !l.Contains("ARS=T", StringComparison.Ordinal)).Take(3));
        Assert.Equal(
            $"Running ARS=F Init=T Ready=T PRSC=T | init=T:0/Completed#1 {Last} T sidecar=R#1 {Last} T main=R#1 {Last} T peer=R#1 {Last} T",
            history[^1]);
    }

    [Fact]
    public async Task RestartAll_PodUidAndAddress_StayTheSame()
    {
        await using var cluster = new KubeletFixture(new() { SimulateContainers = true });
        var created = cluster.Create("p", [Shell("main", "", Rule)]);
        var before = await cluster.WaitForReadyAsync("p");
        ((Runtime.SimulatedContainer)cluster.Plane.Container("default", "p", "main").Current!).Exit(88);
        var after = await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 1 && Condition(p, "Ready") == "True");

        Assert.Equal(created.Uid(), after.Uid());
        Assert.Equal(before.At("status").Text("podIP"), after.At("status").Text("podIP"));
    }

    [Fact]
    public async Task RestartAll_PeersIgnoreTerm_AreKilledOneAfterTheOtherAfterTwoSeconds()
    {
        const string Stubborn = "trap 'echo term' TERM; echo up; while true; do sleep 0.02; done";
        var time = new FakeTimeProvider();
        await using var cluster = new KubeletFixture(time, null, null);
        cluster.Create("p", [Shell("main", "exec sleep 100", Rule.Replace("88", "137", StringComparison.Ordinal)), Shell("p1", Stubborn), Shell("p2", Stubborn)]);
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p", "p1") == "up\n" && cluster.Log("p", "p2") == "up\n");
        var (p1, p2) = (cluster.Plane.Container("default", "p", "p1").Current!, cluster.Plane.Container("default", "p", "p2").Current!);

        cluster.Plane.Container("default", "p", "main").Current!.Signal(Runtime.Libc.SigKill);
        await UntilAsync(() => cluster.Log("p", "p1") == "up\nterm\n");
        time.Advance(TimeSpan.FromSeconds(1.9));
        Assert.False(p1.Exited.IsCompleted);
        Assert.Equal("up\n", cluster.Log("p", "p2"));

        time.Advance(TimeSpan.FromSeconds(0.1));
        await UntilAsync(() => cluster.Log("p", "p2") == "up\nterm\n");
        Assert.True(p1.Exited.IsCompleted);
        Assert.False(p2.Exited.IsCompleted);

        time.Advance(TimeSpan.FromSeconds(2));
        await cluster.WaitAsync("p", p => Status(p, "p2").Number("restartCount") == 1);
    }

    [Fact]
    public async Task RestartAll_NoMatch_FailsThePod()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "exit 1", Rule)], init: [Shell("side", "trap 'exit 0' TERM; while true; do sleep 0.05; done", "\"restartPolicy\":\"Always\"")]);
        var pod = await cluster.WaitForPhaseAsync("p", "Failed");

        Assert.Equal("PodFailed", Conditions(pod, "AllContainersRestarting").Text("reason"));
        Assert.Equal(1, Status(pod, "main").At("state").At("terminated").Number("exitCode"));
    }

    [Fact]
    public async Task RestartAll_NodeWithoutFeature_IsNotScheduled()
    {
        await using var cluster = new KubeletFixture(nodes: ("node-1", new() { DeclareRestartAllContainers = false }));
        cluster.Create("p", [Shell("main", "", Rule)]);
        var pod = await cluster.WaitAsync("p", p => Condition(p, "PodScheduled") == "False");

        Assert.StartsWith("0/1 nodes are available: 1 node(s) didn't match Pod's required features.", Conditions(pod, "PodScheduled").Text("message"), StringComparison.Ordinal);
    }
}
