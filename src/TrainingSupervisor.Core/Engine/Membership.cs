using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>Who is which worker, as a plan wants it: Pods take over, are made anew, are replaced, or become spares.</summary>
internal static class Membership
{
    /// <param name="draft">The state.</param>
    /// <param name="plan">The plan that is being adopted.</param>
    /// <param name="sequence">The save that must be through before a new Pod may be created.</param>
    public static void Change(GangDraft draft, RecoveryPlan plan, long sequence)
    {
        var before = draft.State.Workers;
        var assigned = draft.State.Assigned.ToBuilder();
        var incarnations = draft.State.Incarnations.ToBuilder();
        var members = plan.Steps.Select(s => s.Pod).ToHashSet(StringComparer.Ordinal);
        foreach (var name in before)
        {
            if (members.Contains(name) || draft.Find(name) is not { } old) continue;
            draft.Put(plan.Idle.Contains(name) ? old with { Worker = null, Idle = true, Target = plan.Attempt } : old with { Doomed = true });
            assigned.Remove(name);
        }

        foreach (var step in plan.Steps)
        {
            var worker = step.Worker.ToString();
            if (draft.Find(step.Pod) is { } pod)
            {
                if (pod.Worker != step.Worker)
                {
                    pod = pod with { Worker = step.Worker, Idle = false };
                    if (step.Pod == PodNames.Of(draft.Spec, step.Worker, incarnations.GetValueOrDefault(worker, 1))) assigned.Remove(step.Pod);
                    else assigned[step.Pod] = worker;
                }
            }
            else
            {
                var incarnation = incarnations.GetValueOrDefault(worker, 1) + 1;
                incarnations[worker] = incarnation;
                pod = draft.NewPod(step.Pod, step.Worker.Role, step.Worker, incarnation) with { NeedsSaved = sequence };
            }

            var target = step.InScope ? plan.Attempt : pod.Target;
            var next = pod with { Target = target, Planned = step.Step, ArrivedAt = step.InScope && pod.Target != plan.Attempt ? null : pod.ArrivedAt };
            if (next != draft.Find(step.Pod)) draft.Put(next);
        }

        draft.Set(s => s with
        {
            Workers = [.. plan.Steps.Select(x => x.Pod)],
            Assigned = assigned.ToImmutable(),
            Incarnations = incarnations.ToImmutable(),
            Shrunk = ShrunkBy(s.Spec, plan.Steps),
        });
    }

    private static ImmutableSortedDictionary<string, int> ShrunkBy(GangSpec spec, ImmutableArray<WorkerStep> steps)
    {
        var counts = steps.CountBy(s => s.Worker.Role).ToDictionary();
        return spec.Roles.Where(r => counts.GetValueOrDefault(r.Name) < r.Count).ToImmutableSortedDictionary(r => r.Name, r => counts.GetValueOrDefault(r.Name));
    }
}
