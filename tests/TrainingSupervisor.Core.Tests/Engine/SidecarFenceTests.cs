using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>A node whose kubelet is dead is cut off: nobody there ends the worker of a sidecar (ADR 6).</summary>
public sealed class SidecarFenceTests
{
    private static World Started(bool fence = true)
    {
        var builder = Gang.Create("llm").AddRole("trainer", r => r.WithCount(4).WithImage("train:1").WithAgentFromImageVolume("agent:1").AsSidecar())
            .WithHeartbeat(TimeSpan.FromSeconds(1));
        return World.Running((fence ? builder.WithFence(TimeSpan.FromSeconds(5)) : builder.WithoutFencing()).Build());
    }

    private static SimPod CutOff(World world, bool kubeletDead)
    {
        var pod = world.PodOf(1);
        pod.Node!.KubeletDead = kubeletDead;
        world.Partition(pod.Node);
        return pod;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_NodeOfASidecarIsLost_ReplacementWaitsAndThePersonIsToldWhatFor(bool kubeletDead)
    {
        var world = Started();
        var pod = CutOff(world, kubeletDead);
        world.Run(TimeSpan.FromMinutes(5));

        Assert.Equal((Stage.Barrier, 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(kubeletDead, pod is { Alive: true, Phase: Observations.AgentPhase.Running });
        Assert.Contains(pod.Name, world.Pods.Keys);
        var told = Assert.Single(world.Events.OfType<GangNotice>(), n => n.Text.Contains("may still run", StringComparison.Ordinal));
        Assert.Contains($"kubectl taint node {pod.Node!.Name} node.kubernetes.io/out-of-service", told.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("node.kubernetes.io/out-of-service:NoExecute")]
    [InlineData("node.cloudprovider.kubernetes.io/shutdown:NoSchedule")]
    [InlineData("deleted")]
    public void Step_SomebodySaysThatTheMachineIsOff_IsReplaced(string how)
    {
        var world = Started();
        var pod = CutOff(world, kubeletDead: true);
        world.Run(TimeSpan.FromMinutes(1));
        Assert.Equal(Stage.Barrier, world.State.Stage);
        world.Kill(pod.Node!);
        pod.Node!.Taints = [how];
        world.Tell(how == "deleted" ? new NodeGone(pod.Node.Name) : new NodeSeen(pod.Node.Seen(pod.Node.RenewedAt)));
        world.Run(TimeSpan.FromSeconds(10));

        Assert.Equal((GangPhase.Running, Stage.Running, 2), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.DoesNotContain(pod.Name, world.Pods.Keys);
    }

    [Theory]
    [InlineData("node.kubernetes.io/unreachable:NoExecute")]
    [InlineData("node.kubernetes.io/out-of-service-soon:NoExecute")]
    public void Step_OtherTaints_ProveNothing(string taint)
    {
        var world = Started();
        var pod = CutOff(world, kubeletDead: true);
        pod.Node!.Taints = [taint];
        world.Tell(new NodeSeen(pod.Node.Seen(pod.Node.RenewedAt)));
        world.Run(TimeSpan.FromMinutes(2));

        Assert.Equal(Stage.Barrier, world.State.Stage);
        Assert.Contains(pod.Name, world.Pods.Keys);
    }

    [Fact]
    public void Step_NodeComesBack_OldWorkerEndsAndTheGangGoesOn()
    {
        var world = Started();
        var pod = CutOff(world, kubeletDead: true);
        world.Run(TimeSpan.FromMinutes(1));
        pod.Node!.KubeletDead = false;
        world.Heal(pod.Node);
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Equal((GangPhase.Running, Stage.Running, 2), (world.State.Phase, world.State.Stage, world.State.Attempt));
        Assert.False(pod.Alive);
    }

    [Fact]
    public void Step_WithoutFencing_IsReplacedAtOnceAsTheUserWanted()
    {
        var world = Started(fence: false);
        var pod = world.PodOf(1);
        world.Kill(pod.Node!);
        world.Run(TimeSpan.FromSeconds(20));

        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    public void Step_NobodyEverSaysSo_GangFailsAtTheBarriersDeadlineAndNeverRunsTwice()
    {
        var world = Started();
        CutOff(world, kubeletDead: true);
        world.Run(TimeSpan.FromMinutes(11));

        Assert.Equal(GangPhase.Failed, world.State.Phase);
        Assert.Contains("a replaced Pod cannot be shown to have ended", world.State.Outcome, StringComparison.Ordinal);
    }
}
