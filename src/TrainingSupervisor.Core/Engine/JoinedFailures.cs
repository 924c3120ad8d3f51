using System.Collections.Immutable;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>Whatever fails before the release joins the recovery under way: the plan grows, the attempt number does not.</summary>
internal static class JoinedFailures
{
    /// <summary>Between the Pods that a worker needs one after the other within one recovery.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(1);

    /// <summary>True if the plan has other steps now, or the gang fails.</summary>
    public static bool Run(GangDraft draft)
    {
        var plan = draft.State.Plan!;
        if (!draft.State.Failures.IsEmpty) DropIgnored(draft, plan);
        var state = draft.State;
        if (state.Failures.IsEmpty) return false;
        draft.Set(s => s with { Failures = [] });
        var decided = Hopeless(draft, plan, state.Failures) ?? Rejoin(state, plan, draft.Now);
        var (decision, failures) = (decided.Decision, decided.Failures);
        if (decision.Strategy == RecoveryStrategy.FailGang)
        {
            draft.Decided = GangDecisions.WithoutSteps(decided, plan.Attempt, draft.Now);
            Reconciler.End(draft, GangPhase.Failed, $"{failures[0]} ({decision.Reason})");
            return true;
        }

        // Only what the new failures are about needs another step; everyone else keeps the one that is under way.
        var next = GangDecisions.Plan(draft.ToState(), decision, failures, plan.Attempt, draft.Now);
        var news = state.Failures.Where(f => f.Pod is not null).Select(f => f.Pod!).ToHashSet();
        var steps = Merge(state, plan.Steps, next.Steps, news);
        var same = steps.SequenceEqual(plan.Steps);
        var grown = plan with
        {
            Cause = next.Failures[0],
            Failures = next.Failures,
            Domain = next.Domain,
            Steps = steps,
            Scope = next.Scope,
            // Only where the gang shrinks once more does anybody else give up a place.
            Idle = steps.Length == plan.Steps.Length ? plan.Idle : next.Idle,
            AvoidNodes = next.AvoidNodes,
            Decision = decision,
            Estimate = same ? plan.Estimate : next.Estimate,
        };
        draft.Decided = grown;
        if (plan.Attempt > 1) draft.Set(s => s with { Recoveries = GangDecisions.Remember(s, decided, plan.Attempt, draft.Now) });
        if (same)
        {
            // A consequence of what is being answered already: it may change who is to blame, but nothing that the record must know first.
            draft.Set(s => s with { Plan = grown });
            if (grown.Cause != plan.Cause) draft.Tell(new RecoveryPlanned(draft.Spec.Name, draft.Now, grown));
            return false;
        }

        var since = state.BarrierSince;
        Reconciler.Adopt(draft, grown);
        // Whoever fails again and again must not keep the barrier from its deadline.
        if (state.Failures.All(f => f.Worker is { } worker && plan.Failures.Any(p => p.Worker == worker))) draft.Set(s => s with { WaitsSince = since });
        Delay(draft, grown, news);
        return true;
    }

    /// <summary>The second new Pod that a worker needs within one recovery comes at once; each further one waits twice as long as that before.</summary>
    private static void Delay(GangDraft draft, RecoveryPlan plan, HashSet<string> news)
    {
        foreach (var step in plan.Steps)
        {
            if (step.Step != RecoveryStep.Recreate || step.OldPod is not { } old || !news.Contains(old) || draft.Find(step.Pod) is not { Pod: null } pod) continue;
            var lost = plan.Failures.Where(f => f.Worker == step.Worker).Select(f => f.Pod).Distinct().Count();
            if (lost > 2) draft.Put(pod with { DelayedUntil = draft.Now + AtMost(TimeSpan.FromSeconds(Math.Pow(2, Math.Min(lost - 3, 10)))) });
        }

        static TimeSpan AtMost(TimeSpan time) => time < LongestDelay ? time : LongestDelay;
    }

    /// <summary>Only what the news are about needs another step; everyone else keeps the one that is under way.</summary>
    public static ImmutableArray<WorkerStep> Merge(GangState state, ImmutableArray<WorkerStep> old, ImmutableArray<WorkerStep> next, HashSet<string> news)
    {
        if (next.Length != old.Length) return next;
        return [.. old.Select((step, rank) =>
            (news.Contains(state.Workers[rank]) && next[rank].OldPod is not null) || (!step.InScope && next[rank].InScope) ? next[rank] : step)];
    }

    /// <summary>Whom the plan under way does not touch, its later forms do not touch either.</summary>
    public static ImmutableArray<WorkerStep> KeepScope(RecoveryPlan plan, ImmutableArray<WorkerStep> next)
    {
        if (next.Length != plan.Steps.Length) return next;
        return [.. next.Select((step, rank) => plan.Steps[rank].InScope || step.OldPod is not null ? step : plan.Steps[rank])];
    }

    /// <summary>
    /// What is under way stays so, strategy and all, unless what has joined now is a reason to give up. If it is the likelier first cause, the
    /// policy's answer to it counts from now on. What the policy ignores is never the cause, but a Pod that fails now is missed at the barrier.
    /// </summary>
    private static GangDecision Rejoin(GangState state, RecoveryPlan plan, DateTimeOffset now)
    {
        var ranked = RecoveryPlanner.Rank(plan.Failures.Concat(state.Failures), state.Spec);
        if (plan.Decision is { } made && ranked[0] == plan.Cause) return new GangDecision(made, ranked);
        var decided = GangDecisions.DecideWithin(state, ranked, plan.Attempt, now);
        return decided.Decision.Strategy == RecoveryStrategy.FailGang ? decided : new GangDecision(
            decided.Decision with
            {
                Strategy = plan.Strategy,
                Reason = $"{decided.Decision.Reason}; {plan.Strategy} is under way",
                AvoidNode = decided.Decision.AvoidNode || plan.Decision?.AvoidNode == true,
                Quiesce = plan.Decision?.Quiesce ?? decided.Decision.Quiesce,
                NotBefore = plan.NotBefore,
            },
            [.. decided.Failures, .. ranked.Except(decided.Failures)]);
    }

    /// <summary>What the policy ignores moves nobody now, either, if its Pod can come to the barrier all the same.</summary>
    private static void DropIgnored(GangDraft draft, RecoveryPlan plan)
    {
        foreach (var failure in draft.State.Failures)
        {
            if (!failure.Kind.LeavesPod() || !GangDecisions.IgnoresWithin(draft.State, failure, plan.Attempt, draft.Now)) continue;
            draft.Set(s => s with { Failures = s.Failures.Remove(failure) });
            draft.Notice($"ignored: {failure}");
            if (failure.Pod is { } name && draft.Find(name) is { } pod) draft.Put(pod.Ignoring(failure, plan.Attempt));
        }
    }

    /// <summary>
    /// A new Pod in which no worker has run yet cannot have failed for the sake of the first cause. If a rule fails the gang for what has befallen
    /// it, another Pod would meet the same.
    /// </summary>
    private static GangDecision? Hopeless(GangDraft draft, RecoveryPlan plan, ImmutableArray<Failure> failures)
    {
        foreach (var failure in failures)
        {
            if (failure.Pod is not { } name || draft.Find(name) is not { MayRun: false, Planned: RecoveryStep.Recreate }) continue;
            var decided = GangDecisions.DecideWithin(draft.State, [failure], plan.Attempt, draft.Now);
            // Of a spent budget there is nothing to say: within a recovery none is counted.
            if (decided.Decision is not { Strategy: RecoveryStrategy.FailGang, Budgets.IsEmpty: true } fails) continue;
            return plan.Cause is { } first ? decided with { Decision = fails with { Reason = $"{fails.Reason}; first cause: {first}" } } : decided;
        }

        return null;
    }

    /// <summary>The recovery under way goes on with other steps, since these have failed by now: its first cause and what was decided about that stay.</summary>
    public static void Continue(GangDraft draft, RecoveryPlan next, ImmutableArray<Failure> failures)
    {
        var plan = draft.State.Plan!;
        Reconciler.Adopt(draft, next with
        {
            Cause = plan.Cause ?? failures[0],
            Failures = [.. plan.Failures, .. failures],
            Decision = plan.Decision,
            NotBefore = plan.NotBefore,
            QuiesceDeadline = plan.QuiesceDeadline,
            Scope = plan.Scope,
        });
    }
}
