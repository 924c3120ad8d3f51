using System.Globalization;
using k8s;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>Nodes that die, break, or are about to go.</summary>
internal static class NodeScenarios
{
    private static readonly TimeSpan s_fence = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_ordered = TimeSpan.FromSeconds(10);

    public static IEnumerable<Scenario> All()
    {
        yield return new("dead", FailureKind.NodeLost, "the node dies", p => p.NodeOf(1).FailAsync())
        {
            NodesDie = true, MoreNodes = 1, Steps = Scenario.MoveOne, IsLong = true, Then = p => OrderedInTime(p, s_ordered + s_fence),
        };
        yield return new("dead-spare", FailureKind.NodeLost, "the same, and a spare waits", p => p.NodeOf(1).FailAsync())
        {
            NodesDie = true, MoreNodes = 2, Role = r => r.WithSpares(1), Steps = Scenario.SpareForOne, IsLong = true, Then = p => OrderedInTime(p, s_ordered + s_fence),
        };
        yield return new("dead-unfenced", FailureKind.AgentLost, "the same, without fencing and with Kubernetes' own node Leases of 40 s", p => p.NodeOf(1).FailAsync())
        {
            MoreNodes = 1, Gang = g => g.WithoutFencing(), Steps = Scenario.MoveOne, IsLong = true, Then = p => OrderedInTime(p, s_ordered),
        };
        yield return new("dead-deleted", FailureKind.NodeLost, "the node dies, and its Node object is deleted when its agent has fallen silent", async p =>
        {
            var node = p.NodeOf(1);
            await node.FailAsync();
            await p.Lab.UntilAsync(() => p.Of(1).State == "Silent");
            await p.Client.CoreV1.DeleteNodeAsync(node.Name);
        })
        {
            NodesDie = true, MoreNodes = 1, Steps = Scenario.MoveOne, IsLong = true,
        };
        yield return new("agent-stopped", FailureKind.AgentLost, "SIGSTOP for the agent: it lives and says nothing, its node is well; fence 5 s", p => StopAgentAsync(p))
        {
            MoreNodes = 1, Gang = g => g.WithFence(s_fence), Steps = Scenario.MoveOne, IsLong = true,
        };
        yield return new("cordoned", FailureKind.NodeDraining, "`kubectl cordon`", p => p.NodeOf(1).CordonAsync())
        {
            MoreNodes = 1, Steps = Scenario.SpareForOne, Then = TrainedOnUntilAReplacementWaited,
        };
        yield return new("spot", FailureKind.NodeDraining, "the taint of a spot interruption notice", p => p.NodeOf(1).AddTaintAsync(new NodeTaint("aws-node-termination-handler/spot-itn", "soon", "NoSchedule")))
        {
            MoreNodes = 1, Steps = Scenario.MoveOne,
        };
        yield return new("node-deleted", FailureKind.NodeDraining, "the Node object is deleted while its agent still talks", p => p.Client.CoreV1.DeleteNodeAsync(p.Of(1).Node!))
        {
            MoreNodes = 1, Steps = Scenario.MoveOne,
        };
        yield return new("condition", FailureKind.NodeUnhealthy, "the node's condition KernelDeadlock becomes True", p => p.SetConditionAsync(p.Of(1).Node!, "KernelDeadlock", "True", "DockerHung", "task docker blocked"))
        {
            MoreNodes = 1, Steps = Scenario.MoveOne, Then = Quarantined,
        };
        yield return new("reported-node", FailureKind.NodeUnhealthy, "the annotation `training-supervisor.dev/failure` on the Node", p => p.AnnotateNodeAsync(p.Of(1).Node!, "NodeUnhealthy: Xid 79 on GPU 3"))
        {
            MoreNodes = 1, Steps = Scenario.MoveOne, Then = Quarantined,
        };
        yield return new("reported", FailureKind.NodeUnhealthy, "`GangHandle.ReportFailure`", p =>
        {
            p.Gang.ReportFailure(new Failure(FailureKind.NodeUnhealthy, "DCGM: GPU 3 has fallen off the bus", TimeProvider.System.GetUtcNow()) { Worker = new WorkerId("w", 1), Pod = p.Of(1).Pod, Node = p.Of(1).Node, SeenBy = "DCGM" });
            return Task.CompletedTask;
        })
        {
            MoreNodes = 1, Steps = Scenario.MoveOne, Then = Quarantined,
        };
    }

    /// <summary>From the last sign of life to the record that orders the replacement, by the recovery's own moments.</summary>
    private static Task OrderedInTime(Play play, TimeSpan limit)
    {
        var timing = play.Events.OfType<RecoveryCompleted>().Last().Timing;
        var took = timing.Commanded!.Value - timing.Failed;
        Assert.True(took <= limit, $"the replacement was ordered {took.TotalSeconds:0.00} s after the last sign of life");
        // And that was when the node died, as far as a busy machine can tell.
        Assert.InRange(play.Struck - timing.Failed, TimeSpan.FromSeconds(-5), TimeSpan.FromSeconds(5));
        return Quarantined(play);
    }

    private static Task Quarantined(Play play)
    {
        var node = play.Events.OfType<RecoveryCompleted>().Last().Plan.Cause!.Node!;
        Assert.Contains(node, play.Gang.Status.Quarantined.Keys);
        Assert.NotEqual(node, play.Of(1).Node);
        return Task.CompletedTask;
    }

    private static Task TrainedOnUntilAReplacementWaited(Play play)
    {
        var waited = play.Events.OfType<WorkerChanged>().First(e => e.Worker is { Worker: null, State: "Waiting" });
        var planned = play.Events.OfType<RecoveryPlanned>().First(e => e.Plan.Attempt == 2);
        Assert.True(waited.At <= planned.At, "it was interrupted before its replacement waited");
        return Task.CompletedTask;
    }

    private static async Task StopAgentAsync(Play play)
    {
        var agent = play.Lab.Embedded.GetContainerProcessId(play.Of(1).Pod, "worker")!.Value;
        using var kill = System.Diagnostics.Process.Start("kill", ["-STOP", agent.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }
}
