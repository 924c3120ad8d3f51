using System.Diagnostics;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class PodLifecycleTests
{
    [Fact]
    public async Task Pod_MainSucceeds_ShowsTheRecordedTransitions()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "echo done")]);
        await cluster.WaitForPhaseAsync("p", "Succeeded");

        Assert.Equal(
            [
                "Pending ARS= Init=T Ready=F PRSC=F | main=W:ContainerCreating#0 last=- F",
                "Pending ARS= Init=T Ready=F PRSC=T | main=W:ContainerCreating#0 last=- F",
                "Running ARS= Init=T Ready=T PRSC=T | main=R#0 last=- T",
                "Running ARS= Init=T Ready=F PRSC=T | main=T:0/Completed#0 last=- F",
                "Succeeded ARS= Init=T Ready=F PRSC=F | main=T:0/Completed#0 last=- F",
            ],
            (await cluster.HistoryAsync("p")).SkipWhile(l => l.EndsWith("| ", StringComparison.Ordinal)));
        Assert.Equal("done\n", cluster.Log("p"));
    }

    [Fact]
    public async Task Pod_CrashesAlways_WaitsFromTheSecondRestartOn()
    {
        await using var cluster = new KubeletFixture(new() { CrashLoopBackOff = TimeSpan.FromMilliseconds(100) });
        cluster.Create("p", [Shell("main", "exit 1")], "Always");
        var pod = await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 3 && Status(p, "main").At("state").At("running") is not null);

        Assert.Equal("Running", pod.At("status").Text("phase"));
        var history = await cluster.HistoryAsync("p");
        Assert.DoesNotContain(history, l => l.Contains("W:CrashLoopBackOff#0", StringComparison.Ordinal));
        Assert.Contains(history, l => l.Contains("main=W:CrashLoopBackOff#1 last=T:1/Error", StringComparison.Ordinal));
        Assert.Contains(history, l => l.Contains("main=W:CrashLoopBackOff#2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pod_KilledBySignal_Reports137()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "kill -9 $$$$")]);
        var pod = await cluster.WaitForPhaseAsync("p", "Failed");
        Assert.Equal(137, Status(pod, "main").At("state").At("terminated").Number("exitCode"));
    }

    [Fact]
    public async Task Pod_CommandMissing_IsAStartError()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [new() { ["name"] = "main", ["image"] = "x", ["command"] = new JsonArray("/no/such/binary") }]);
        var pod = await cluster.WaitForPhaseAsync("p", "Failed");
        var ended = Status(pod, "main").At("state").At("terminated");
        Assert.Equal((128, "StartError"), (ended.Number("exitCode"), ended.Text("reason")));
        Assert.EndsWith("exec: \"/no/such/binary\": stat /no/such/binary: no such file or directory", ended.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pod_ImageOnInvalidHost_CannotBePulled()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [new() { ["name"] = "main", ["image"] = "nope.invalid/x:1" }]);
        await cluster.WaitAsync("p", p => Status(p, "main").At("state").At("waiting").Text("reason") == "ImagePullBackOff");
        Assert.Contains(await cluster.HistoryAsync("p"), l => l.Contains("W:ErrImagePull#0", StringComparison.Ordinal));

        cluster.Create("q", [new() { ["name"] = "main", ["image"] = "nope.invalid/x:1", ["imagePullPolicy"] = "Never" }]);
        await cluster.WaitAsync("q", p => Status(p, "main").At("state").At("waiting").Text("reason") == "ErrImageNeverPull");
    }

    [Fact]
    public async Task Delete_WithGrace_SendsTermThenRemoves()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "trap 'exit 0' TERM; echo up; while true; do sleep 0.02; done")]);
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p").Length > 0);
        cluster.Store.Delete(ResourceType.Pods, "default", "p");
        var pod = await cluster.WaitForPhaseAsync("p", "Succeeded");
        Assert.NotNull(pod.At("metadata").Text("deletionTimestamp"));
        await UntilAsync(() => cluster.Store.Get(ResourceType.Pods, "default", "p") is null);
        Assert.Null(cluster.Store.Get(ResourceType.Pods, "default", "p"));
    }

    [Fact]
    public async Task Delete_TermIgnored_KillsAfterGrace()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "trap '' TERM; echo up; while true; do sleep 0.02; done")], spec: "\"terminationGracePeriodSeconds\":1");
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p").Length > 0);
        cluster.Store.Delete(ResourceType.Pods, "default", "p");
        var pod = await cluster.WaitForPhaseAsync("p", "Failed");
        Assert.Equal(137, Status(pod, "main").At("state").At("terminated").Number("exitCode"));
    }

    [Fact]
    public async Task Delete_Forced_KillsDetachedGrandchildrenToo()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "setsid sh -c 'sleep 300 & exec sleep 301' & sleep 302")]);
        await cluster.WaitForReadyAsync("p");
        var container = cluster.Plane.Container("default", "p", "main").Current!;
        await UntilAsync(() => container.FindProcesses().Count >= 4);

        cluster.Store.Delete(ResourceType.Pods, "default", "p", new(GracePeriodSeconds: 0));
        await container.Exited.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Empty(container.FindProcesses());
    }

    [Fact]
    public async Task Liveness_Fails_RestartsTheContainer()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "exec sleep 100", "\"livenessProbe\":{\"exec\":{\"command\":[\"/bin/false\"]},\"periodSeconds\":1,\"failureThreshold\":1}")], "Always");
        var pod = await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 1);
        Assert.Equal(143, Status(pod, "main").At("lastState").At("terminated").Number("exitCode"));
    }

    [Fact]
    public async Task Readiness_FileAppears_TurnsReady()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "sleep 0.3; touch /v/ok; exec sleep 100",
            "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}],\"readinessProbe\":{\"exec\":{\"command\":[\"/bin/sh\",\"-c\",\"test -e /v/ok\"]},\"periodSeconds\":1}")],
            spec: "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]");
        await cluster.WaitAsync("p", p => Status(p, "main").At("state").At("running") is not null && Condition(p, "Ready") == "False");
        await cluster.WaitForReadyAsync("p");
    }

    [Fact]
    public async Task Environment_FieldsSecretsAndExpansion_AreResolved()
    {
        await using var cluster = new KubeletFixture();
        cluster.Store.Create(ResourceType.Secrets, (JsonObject)JsonNode.Parse("""{"metadata":{"name":"s","namespace":"default"},"data":{"k":"djE="}}""")!);
        cluster.Create("p", [Shell("main", "echo $A $B $C $D; cat /s/k; exec sleep 100", """
            "volumeMounts":[{"name":"s","mountPath":"/s"}],
            "env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['x']"}}},{"name":"B","value":"$(A)-$$(A)"},
                   {"name":"C","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},{"name":"D","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}}]
            """)], spec: "\"volumes\":[{\"name\":\"s\",\"secret\":{\"secretName\":\"s\"}}]", labels: "\"x\":\"y\"");
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p") == "y y-$(A) v1 node-1\nv1");

        cluster.Store.Update(ResourceType.Secrets, "default", "s", s => { s["data"]!["k"] = "djI="; return s; });
        var file = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(cluster.Plane.Worker("default", "p").LogFile("main")))!, "volumes", "s", "k");
        await UntilAsync(() => File.ReadAllText(file) == "v2");
    }

    [Fact]
    public async Task Restart_OneContainer_TakesNoBackOff()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "exec sleep 100")], "Always");
        await cluster.WaitForReadyAsync("p");
        var clock = Stopwatch.StartNew();
        cluster.Plane.Container("default", "p", "main").Current!.Signal(Libc.SigKill);
        await cluster.WaitAsync("p", p => Status(p, "main").Number("restartCount") == 1);
        // The back-off begins with ten seconds.
        Assert.InRange(clock.ElapsedMilliseconds, 0, 8000);
    }
}
