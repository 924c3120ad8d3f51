using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>A release may be long under way: who was sent one, and has not spoken since, does not wait any more.</summary>
public sealed class LateReleaseTests
{
    [Fact]
    public void Step_AgentOfAPodThatWasDeletedSpeaksAgain_IsNoSpare()
    {
        var world = new World(1, Specs.Gang(2, spares: 1).Build(), 8);
        world.Run(TimeSpan.FromSeconds(20));
        var spare = world.Pods.Values.Single(p => p.Request.Worker is null);
        world.Partition(spare.Node!);
        world.DeleteByOthers(spare, force: true);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.DoesNotContain(spare.Name, world.State.Pods.Keys);
        world.Tell(new AgentSeen(spare.Name, spare.Uid, "trainer", "10.0.0.9", spare.Node!.Name, new AgentObservation { Instance = "ghost", Phase = AgentPhase.Waiting }));
        world.Run(TimeSpan.FromSeconds(1));

        Assert.DoesNotContain(spare.Name, world.State.Pods.Keys);
        Assert.Single(world.State.Pods.Values, p => p is { Worker: null, Connected: true });
    }

    [Fact]
    public void Step_FailureWhileAReleaseIsUnderWay_NobodyIsReleasedAgainBeforeAllHaveSpoken()
    {
        var now = DateTimeOffset.UnixEpoch;
        var state = GangMachine.Start(Specs.Gang(2).Build(), 1, restartsInPlace: true, now);
        Step(new CacheSynced());
        string[] pods = ["llm-trainer-0-1", "llm-trainer-1-1"];
        foreach (var pod in pods) Say(pod, AgentPhase.Waiting, 0);
        Assert.Equal((Stage.Releasing, 1), (state.Stage, state.Attempt));
        Say(pods[0], AgentPhase.Running, 1);
        Say(pods[0], AgentPhase.Exited, 1, new WorkerExit { Code = 3, Ended = now });
        Step();
        Assert.Equal((Stage.Barrier, 2), (state.Stage, state.Attempt));
        // The other one's release still has not come through, as far as anybody here knows.
        var effects = Say(pods[0], AgentPhase.Waiting, 2);
        Assert.DoesNotContain(effects, e => e is ReleaseGang);
        Assert.Equal(Stage.Barrier, state.Stage);
        Say(pods[1], AgentPhase.Running, 1);
        Say(pods[1], AgentPhase.Waiting, 2);

        Assert.Equal((Stage.Releasing, 2), (state.Stage, state.Attempt));

        List<GangEffect> Say(string pod, AgentPhase phase, int attempt, WorkerExit? exit = null) => Step(new AgentSeen(
            pod, "uid-" + pod, "trainer", "10.0.0.1", "node-1", new AgentObservation { Instance = "i", Phase = phase, Attempt = attempt, Exit = exit }));

        List<GangEffect> Step(params GangInput[] inputs)
        {
            var all = new List<GangEffect>();
            do
            {
                now += TimeSpan.FromMilliseconds(60);
                var result = GangMachine.Step(state, inputs, now);
                state = result.State;
                all.AddRange(result.Effects);
                inputs = [.. result.Effects.OfType<SaveRecord>().Select(s => new RecordSaved(s.Sequence))];
            }
            while (inputs.Length > 0);
            return all;
        }
    }
}
