using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class NodeGoneTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Step_NodeGone_IsDeletedUntilItIsSeenAgain()
    {
        var node = new NodeObservation { Name = "node-1", Ready = true };
        var state = GangMachine.Start(Specs.Gang(2).Build(), 1, true, Now);
        state = GangMachine.Step(state, [new NodeSeen(node)], Now).State;
        Assert.False(state.Nodes["node-1"].Deleted);

        state = GangMachine.Step(state, [new NodeGone("node-1")], Now).State;
        Assert.True(state.Nodes["node-1"].Deleted);

        state = GangMachine.Step(state, [new NodeSeen(node)], Now).State;
        Assert.False(state.Nodes["node-1"].Deleted);
    }
}
