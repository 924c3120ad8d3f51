using System.Reactive.Subjects;
using k8s;
using Microsoft.Extensions.DependencyInjection;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>What something outside knows is answered like what the library sees itself.</summary>
[Collection(nameof(OneAtATime))]
public sealed class ReportTests
{
    [Fact]
    public async Task Detector_NamesANode_ItsWorkerMoves()
    {
        using var detector = new Detector();
        await using var lab = await Lab.StartAsync(3, services: s => s.AddSingleton<IFailureDetector>(detector));
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        await lab.UntilAsync(() => detector.Says.HasObservers);
        var before = gang.Status.Workers;
        detector.Says.OnNext(new Failure(FailureKind.NodeUnhealthy, "Xid 79 on GPU 3", DateTimeOffset.UtcNow) { Node = before[1].Node });
        await lab.RunningAsync(gang, 2);
        var plan = (await lab.ExpectAsync<RecoveryPlanned>(gang, p => p.Plan.Attempt == 2)).Plan;

        Assert.Equal((new WorkerId("w", 1), before[1].Pod, nameof(Detector)), (plan.Cause!.Worker!.Value, plan.Cause.Pod, plan.Cause.SeenBy));
        Assert.Equal([RecoveryStep.RestartInPlace, RecoveryStep.Recreate], plan.Steps.Select(s => s.Step));
        Assert.NotEqual(before[1].Node, gang.Status.Workers[1].Node);
    }

    [Fact]
    public async Task ReportFailure_PodThatIsNotThere_IsLeftAside()
    {
        await using var lab = await Lab.StartAsync(2);
        var gang = await lab.LaunchAsync(lab.Idle(2));
        await lab.RunningAsync(gang, 1);
        gang.ReportFailure(new Failure(FailureKind.NodeUnhealthy, "Xid 79", DateTimeOffset.UtcNow) { Pod = "job-w-9-1" });
        await lab.ExpectAsync<GangNotice>(gang, n => n.Text.Contains("left aside", StringComparison.Ordinal));

        Assert.Equal((GangPhase.Running, 1), (gang.Status.Phase, gang.Status.Attempt));
        Assert.Throws<ArgumentException>(() => gang.ReportFailure(new Failure(FailureKind.Hang, "", DateTimeOffset.UtcNow) { Worker = new WorkerId("w", 2) }));
    }

    [EmbeddedFact("the suite's rights do not reach to Nodes")]
    public async Task Quarantine_ToldToNodes_TaintsTheNodeUntilTheGangIsOver()
    {
        await using var lab = await Lab.StartAsync(3);
        var gang = await lab.LaunchAsync(lab.Idle(2).WithQuarantine(TimeSpan.FromMinutes(10), taintNodes: true));
        await lab.RunningAsync(gang, 1);
        var node = gang.Status.Workers[1].Node!;
        gang.ReportFailure(new Failure(FailureKind.NodeUnhealthy, "Xid 79", DateTimeOffset.UtcNow) { Node = node });
        using var client = lab.CreateClient();
        async Task<bool> IsTaintedAsync(CancellationToken token) =>
            (await client.CoreV1.ReadNodeAsync(node, cancellationToken: token)).Spec.Taints?.Any(t => t.Key == $"{gang.Name}.{lab.Cluster.Namespace}.quarantine.training-supervisor.dev/node-failed") == true;
        await lab.UntilAsync(IsTaintedAsync);
        await lab.RunningAsync(gang, 2);
        await gang.StopAsync().WaitAsync(lab.Cluster.Patience);

        Assert.False(await IsTaintedAsync(default));
    }

    private sealed class Detector : IFailureDetector, IDisposable
    {
        public Subject<Failure> Says { get; } = new();

        public IObservable<Failure> Watch(GangHandle gang) => Says;

        public void Dispose() => Says.Dispose();
    }
}
