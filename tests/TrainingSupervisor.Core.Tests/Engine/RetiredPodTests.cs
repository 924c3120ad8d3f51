using System.Collections.Immutable;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>Pods that an older supervisor replaced and that may still run, as the next one finds them in the record.</summary>
public sealed class RetiredPodTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void Is_AgentOfARetiredPodLeaves_IsQuietUnlessItIsASidecar(bool sidecar, bool quiet)
    {
        var state = Resume(sidecar);
        var leaving = new AgentObservation { Instance = "i", Phase = AgentPhase.Leaving, Attempt = 1 };
        state = GangMachine.Step(state, [new AgentSeen("old", "uid", "trainer", "10.0.0.1", "node-1", leaving), new CacheSynced()], Now).State;

        Assert.Equal(quiet, Quiet.Is(state, state.Pods["old"], Now));
    }

    [Fact]
    public void Step_GangStopsWhileARetiredPodIsThere_HaltsItsAgentAndEnds()
    {
        var pod = new PodObservation { Name = "old", Uid = "uid", Role = "nobody", Phase = PodPhase.Running };
        var running = new AgentObservation { Instance = "i", Phase = AgentPhase.Running, Attempt = 1 };
        var seen = GangMachine.Step(Resume(false, "nobody"), [new PodSeen(pod), new AgentSeen("old", "uid", "nobody", "10.0.0.1", "node-1", running), new CacheSynced()], Now);
        Assert.Contains(seen.Effects, e => e is HaltAgent { Pod: "old" });

        var state = GangMachine.Step(seen.State, [new StopRequested("test")], Now).State;
        state = GangMachine.Step(state, [new RecordSaved(state.SaveSequence), new PodGone("old", "uid")], Now).State;

        Assert.Equal(Stage.Ended, state.Stage);
    }

    private static GangState Resume(bool sidecar, string role = "trainer")
    {
        var spec = Gang.Create("llm").AddRole("trainer", r =>
        {
            r.WithImage("train:1").WithAgentFromImageVolume("agent:1");
            if (sidecar) r.AsSidecar();
            else r.WithCommand("train");
        }).Build();
        var step = new WorkerStep(new WorkerId("trainer", 0), RecoveryStep.Recreate, "test") { Pod = "llm-trainer-0-2", OldPod = "old" };
        var record = new GangRecord
        {
            Attempt = 2,
            Phase = GangPhase.Recovering,
            Plan = new RecoveryPlan { Attempt = 2, Steps = [step] },
            Incarnations = ImmutableSortedDictionary<string, int>.Empty.Add("trainer-0", 2),
            Retired = ImmutableSortedDictionary<string, RetiredPod>.Empty.Add("old", new RetiredPod("uid", "node-1", Now) { Role = role }),
        };
        return GangMachine.Resume(spec, 2, restartsInPlace: true, record, Now);
    }
}
