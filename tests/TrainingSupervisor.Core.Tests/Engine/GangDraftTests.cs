using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class GangDraftTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    private static GangState State() => GangMachine.Start(Specs.Gang(2).Build(), 1, restartsInPlace: true, Now);

    [Fact]
    public void AnyConnected_PodsComeAndGo_IsWhatTheyAreNow()
    {
        var draft = new GangDraft(State(), Now);
        Assert.False(draft.AnyConnected);
        var pod = draft.AtRank(1);
        draft.Put(pod with { Connected = true });
        Assert.True(draft.AnyConnected);
        draft.Put(pod);
        Assert.False(draft.AnyConnected);
        draft.Put(pod with { Name = "new", Connected = true });
        Assert.True(draft.AnyConnected);
        draft.Forget("new");
        Assert.False(draft.AnyConnected);
    }

    [Fact]
    public void State_NodesWereSeen_HasThem()
    {
        var before = State();
        var draft = new GangDraft(before, Now);
        Assert.Same(draft.State, draft.State);
        draft.Put(new NodeObservation { Name = "a" });
        Assert.False(draft.State.Nodes["a"].Deleted);
        draft.Put(new NodeObservation { Name = "a", Deleted = true });
        draft.Set(s => s with { Attempt = s.Nodes["a"].Deleted ? 7 : 0 });
        draft.Put(new NodeObservation { Name = "b" });

        Assert.Equal((7, 2), (draft.ToState().Attempt, draft.ToState().Nodes.Count));
        Assert.True(before.Nodes.IsEmpty);
    }
}
