using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Who is where, for those who are released, and for those who run on while a cell beside them recovers.</summary>
internal static class Rosters
{
    public static Roster Of(GangDraft draft)
    {
        var state = draft.State;
        return new Roster(draft.Spec.Name, state.Attempt, draft.Spec.MasterPort,
        [
            .. state.Workers.Select((name, rank) =>
            {
                var pod = draft[name];
                return new RosterEntry(rank, state.WorkerAt(rank), name, pod.Uid!, pod.Address, pod.Node ?? "");
            }),
        ]);
    }

    /// <summary>Only another Pod is news: whoever is restarted in place keeps its address, and a large gang's roster is large.</summary>
    public static int Since(GangState state, RecoveryPlan plan) =>
        plan.Steps.All(s => s.InScope) ? 0 : plan.Steps.Any(s => s.OldPod is not null) ? plan.Attempt : state.RosterAttempt;

    /// <summary>Until each of them says that it has it. An agent that says nothing of rosters is too old to be told.</summary>
    public static void Tell(GangDraft draft)
    {
        var since = draft.State.RosterAttempt;
        if (since == 0) return;
        var targets = ImmutableArray.CreateBuilder<ReleaseTarget>();
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            var pod = draft.AtRank(rank);
            if (pod is not { Connected: true, Agent: { Phase: AgentPhase.Running, RosterAttempt: > 0 } agent } || agent.RosterAttempt >= since) continue;
            if (draft.Now < pod.RosterTold + Barrier.Repeat)
            {
                draft.WakeAt(pod.RosterTold + Barrier.Repeat);
                continue;
            }

            draft.Put(pod with { RosterTold = draft.Now });
            targets.Add(new ReleaseTarget(pod.Name, pod.Uid!, rank));
        }

        if (targets.Count > 0) draft.Emit(new TellRoster(Of(draft), targets.ToImmutable()));
    }
}
