using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class HookTests : IDisposable
{
    private const string Trap = "trap 'echo term >> $LOG; exit 0' TERM; echo up; while true; do sleep 0.02; done";
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("hook-tests-");

    private string LogFile => Path.Combine(_directory.FullName, "log");

    private string Environment => $"\"env\":[{{\"name\":\"LOG\",\"value\":\"{LogFile}\"}}]";

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task PostStart_NotFinished_HoldsBackRunningAndTheNextContainer()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p",
            [
                Shell("a", "exec sleep 100", Hook("postStart", "while ! [ -e $LOG ]; do sleep 0.02; done")),
                Shell("b", "exec sleep 100"),
            ]);
        await UntilAsync(() => cluster.Plane.Kubelets.First().Find("default", "p")?.Find("a")?.Current is not null);
        var first = cluster.Plane.Container("default", "p", "a").Current!;
        await UntilAsync(() => first.FindProcesses().Count >= 3);
        Assert.DoesNotContain(await cluster.HistoryAsync("p"), l => l.Contains("a=R", StringComparison.Ordinal));
        Assert.Null(cluster.Plane.Container("default", "p", "b").Current);
        await File.WriteAllTextAsync(LogFile, "");
        await cluster.WaitForReadyAsync("p");
        Assert.DoesNotContain(await cluster.HistoryAsync("p"),
            l => l.Contains("a=R#0", StringComparison.Ordinal) && l.Contains("b=W", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PostStart_Fails_StopsTheContainer()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "exec sleep 100", Hook("postStart", "exit 3"))]);
        var pod = await cluster.WaitForPhaseAsync("p", "Failed");
        Assert.Equal(143, Status(pod, "main").At("state").At("terminated").Number("exitCode"));
    }

    [Fact]
    public async Task PreStop_GracefulDeletion_RunsBeforeTerm()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", Trap, Hook("preStop", "sleep 0.2; echo hook >> $LOG"))]);
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p").Length > 0);
        cluster.Store.Delete(ResourceType.Pods, "default", "p");
        await cluster.WaitForPhaseAsync("p", "Succeeded");
        Assert.Equal("hook\nterm\n", await File.ReadAllTextAsync(LogFile));
    }

    [Fact]
    public async Task PreStop_LongerThanTheGrace_IsCutOff()
    {
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", Trap, Hook("preStop", "sleep 60; echo hook >> $LOG"))], spec: "\"terminationGracePeriodSeconds\":1");
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p").Length > 0);
        cluster.Store.Delete(ResourceType.Pods, "default", "p");
        await cluster.WaitForPhaseAsync("p", "Succeeded");
        Assert.Equal("term\n", await File.ReadAllTextAsync(LogFile));
    }

    [Fact]
    public async Task PreStop_RestartAllContainers_IsNotRun()
    {
        const string Rule = """
            "restartPolicy":"Never","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[137]}}]
            """;
        await using var cluster = new KubeletFixture();
        cluster.Create("p", [Shell("main", "exec sleep 100", Rule), Shell("peer", Trap, Hook("preStop", "echo hook >> $LOG"))]);
        await cluster.WaitForReadyAsync("p");
        await UntilAsync(() => cluster.Log("p", "peer").Length > 0);
        cluster.Plane.Container("default", "p", "main").Current!.Signal(Libc.SigKill);
        await cluster.WaitAsync("p", p => Status(p, "peer").Number("restartCount") == 1 && Condition(p, "Ready") == "True");
        Assert.Equal("term\n", await File.ReadAllTextAsync(LogFile));
    }

    private string Hook(string name, string script) =>
        $"{Environment},\"lifecycle\":{{\"{name}\":{{\"exec\":{{\"command\":[\"/bin/sh\",\"-c\",\"{script}\"]}}}}}}";
}
