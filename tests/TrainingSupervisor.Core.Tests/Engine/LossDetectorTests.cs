using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Silence: whose it is, and when it is none.</summary>
public sealed class LossDetectorTests
{
    private static World Started(Action<GangBuilder>? more = null) => World.Running(Specs.Gang(4, 0, more).Build());

    private static IEnumerable<Failure> Found(World world) => world.Events.OfType<FailureDetected>().Select(f => f.Failure);

    [Theory]
    [Sees(FailureKind.NodeLost)]
    [InlineData("lease", "node-1 has not renewed its lease for 10.0 s, and its agent is silent")]
    [InlineData("ready", "node-1 is not ready: NodeStatusUnknown Kubelet stopped posting node status., and its agent is silent")]
    [InlineData("taint", "node-1 has the taint node.kubernetes.io/unreachable, and its agent is silent")]
    public void Find_SilentAgentOnASilentNode_SaysHowThatIsKnown(string sign, string evidence)
    {
        var failure = Find(Silent, Node(sign))!;

        Assert.Equal((FailureKind.NodeLost, evidence, Silent.LastSign, "node-1"), (failure.Kind, failure.Evidence, failure.At, failure.Node));
    }

    [Theory]
    [LeavesAlone(FailureKind.NodeLost, FailureKind.AgentLost)]
    [InlineData("lease")]
    [InlineData("ready")]
    [InlineData("taint")]
    public void Find_AgentThatTalks_OutweighsWhateverTheNodeSays(string sign) =>
        Assert.Null(Find(Silent with { Connected = true }, Node(sign)));

    [Theory]
    [LeavesAlone(FailureKind.NodeLost)]
    [InlineData("fresh")]
    [InlineData("oldtaint")]
    [InlineData("notready")]
    public void Find_SilentAgentOnANodeThatIsThere_IsNotTheNodesLoss(string sign) => Assert.Null(Find(Silent, Node(sign)));

    [Fact]
    [LeavesAlone(FailureKind.NodeLost)]
    public void Step_ApiServerAwayWhileAnAgentBlips_LosesNoNode()
    {
        var world = Started();
        world.ApiOutage(15000);
        world.Blip(world.PodOf(1));
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Empty(Found(world));
    }

    [Fact]
    [Sees(FailureKind.AgentLost)]
    public void Step_AgentAloneIsSilentForTheFence_IsLost()
    {
        var world = Started();
        var pod = world.PodOf(2);
        var last = world.Now;
        pod.Faulty = true;
        world.Disconnect(pod);
        world.Run(TimeSpan.FromSeconds(6));

        var lost = Assert.Single(Found(world));
        Assert.Equal((FailureKind.AgentLost, "no sign of its agent for 5.0 s", last, pod.Node!.Name, new WorkerId("trainer", 2)),
            (lost.Kind, lost.Evidence, lost.At, lost.Node, lost.Worker!.Value));
        Assert.InRange(lost.Noticed - last, world.Spec.Fence, world.Spec.Fence + TimeSpan.FromSeconds(1));
    }

    [Fact]
    [LeavesAlone(FailureKind.AgentLost)]
    public void Step_AgentIsBackBeforeTheFence_IsNotLost()
    {
        var world = Started();
        world.Blip(world.PodOf(2));
        world.Run(TimeSpan.FromSeconds(15));

        Assert.Empty(Found(world));
        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    [LeavesAlone(FailureKind.AgentLost)]
    public void Step_NoAgentAtAllReachesUs_IsOurOwnTrouble()
    {
        var world = Started();
        foreach (var pod in world.Pods.Values) world.Disconnect(pod);
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Empty(Found(world));
    }

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddHours(1);

    private static PodState Silent => new()
    {
        Name = "llm-trainer-0-1", Role = "trainer", Worker = new WorkerId("trainer", 0), Uid = "u", Node = "node-1", Target = 3, LastSign = Now.AddSeconds(-3),
        Agent = new AgentObservation { Instance = "i", Phase = AgentPhase.Running, Attempt = 3 },
    };

    private static NodeObservation Node(string sign)
    {
        var well = new NodeObservation { Name = "node-1", Ready = true, LeaseSeen = Now.AddSeconds(-1), LeaseDuration = TimeSpan.FromSeconds(16) };
        return sign switch
        {
            "lease" => well with { LeaseSeen = Now.AddSeconds(-10) },
            "ready" => well with { Ready = null, ReadyReason = "NodeStatusUnknown", ReadyMessage = "Kubelet stopped posting node status." },
            "taint" => well with { Ready = null, Taints = ["node.kubernetes.io/unreachable:NoExecute"] },
            "oldtaint" => well with { Taints = ["node.kubernetes.io/unreachable:NoExecute"] },
            "notready" => well with { Ready = false, ReadyReason = "KubeletNotReady", ReadyMessage = "PLEG is not healthy" },
            _ => well,
        };
    }

    private static Failure? Find(PodState pod, NodeObservation node)
    {
        var state = new GangState { Spec = Specs.Gang().Build(), Stage = Stage.Running, Attempt = 3, LeaseView = Now };
        var draft = new GangDraft(state with { Nodes = state.Nodes.SetItem(node.Name, node), Pods = state.Pods.SetItem(pod.Name, pod) }, Now);
        return LossDetector.Find(draft, pod);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_AgentOfASpareIsSilentForGood_AnotherTakesItsPlace(bool forGood)
    {
        var world = World.Running(Specs.Gang(4, spares: 1).Build());
        var spare = world.Pods.Values.Single(p => p.Request.Worker is null);
        world.Disconnect(spare);
        spare.Faulty = forGood;
        if (!forGood) world.After(4000, () => world.Connect(spare));
        world.Run(TimeSpan.FromSeconds(30));

        Assert.Equal((Stage.Running, 1), (world.State.Stage, world.State.Attempt));
        var serves = Assert.Single(world.State.Pods.Values, p => p is { Worker: null, Doomed: false });
        Assert.True(serves.Connected);
        Assert.Equal(forGood, serves.Name != spare.Name);
    }

    [Theory]
    [Sees(FailureKind.AgentLost)]
    [LeavesAlone(FailureKind.AgentLost)]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_AgentIsLostWhileTheSupervisorIsAway_TheNextOneMissesIt(bool lives)
    {
        var world = Started();
        var pod = world.PodOf(2);
        world.CrashSupervisor(2000);
        (pod.Alive, pod.Faulty) = (false, !lives);
        // A kubelet may take so long to tell where the new one is.
        if (lives) world.After(200_000, () =>
        {
            pod.Alive = true;
            world.Connect(pod);
        });
        world.Run(TimeSpan.FromMinutes(5));

        Assert.Equal((Stage.Running, lives ? 1 : 2), (world.State.Stage, world.State.Attempt));
        Assert.Equal(lives ? [] : [FailureKind.AgentLost], Found(world).Select(f => f.Kind));
        Assert.Equal(lives, world.PodOf(2) == pod);
    }
}
