using System.Collections.Immutable;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>Brings every worker to the barrier, and opens it when all are there and nothing of an older attempt runs.</summary>
internal static class Barrier
{
    /// <summary>An agent that has not obeyed for so long is told again.</summary>
    public static readonly TimeSpan Repeat = TimeSpan.FromSeconds(5);

    /// <summary>Between the Pods that a worker needs one after the other within one recovery.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(1);

    public static void Run(GangDraft draft)
    {
        var state = draft.State;
        var released = state.Workers.Any(n => draft[n].Runs(state.Attempt) || draft[n].RanAttempt == state.Attempt);
        if (released && !state.Failures.IsEmpty)
        {
            // A supervisor before us had begun to release: what fails now needs an attempt of its own.
            draft.Enter(Stage.Gathering);
            return;
        }

        if (JoinFailures(draft)) return;
        if (Quiescence.Run(draft)) return;
        state = draft.State;
        var ready = true;
        for (var rank = 0; rank < state.Workers.Length; rank++)
        {
            var pod = draft.AtRank(rank);
            if (!pod.IsAwaited(state.Attempt)) continue;
            ready = false;
            Command(draft, pod, state.Plan!.Steps[rank].Step);
        }

        // Who gave up a place runs the older attempt until it is told, too.
        foreach (var pod in draft.Pods.Where(p => p is { Idle: true, Doomed: false }).ToList())
        {
            Command(draft, pod, draft.Spec.IsSidecar(pod.Role) ? RecoveryStep.RestartInPlace : RecoveryStep.RestartProcess);
        }

        // Who is there already is checked while the others come.
        if (!released && FitnessCheck.Run(draft))
        {
            if (draft.State.Stage != Stage.Barrier) return;
            ready = false;
        }

        if (ready)
        {
            draft.Set(s => s with { Timing = s.Timing is { Restarted: null } t ? t with { Restarted = draft.Now } : s.Timing });
            if (!OldOnesAreQuiet(draft)) ready = false;
            if (!released && draft.Now < state.Plan!.NotBefore)
            {
                draft.WakeAt(state.Plan.NotBefore);
                ready = false;
            }
        }

        if (!ready) WatchDeadline(draft);
        else if (!Adoption.SaveFirst(draft)) Open(draft);
    }

    public static void Releasing(GangDraft draft)
    {
        var state = draft.State;
        var all = true;
        foreach (var name in state.Workers)
        {
            var pod = draft[name];
            if (pod.Target != state.Attempt || pod.IsOnTarget) continue;
            all = false;
            if (pod.Connected && pod.Agent?.Phase == AgentPhase.Waiting
                && (pod.ReleasedInstance != pod.Agent.Instance || draft.Now >= pod.ReleasedAt + Repeat))
            {
                Release(draft, [name]);
            }

            draft.WakeAt(draft.Now + Repeat);
        }

        if (!all)
        {
            var deadline = state.StageSince + draft.Spec.BarrierDeadline;
            draft.WakeAt(deadline);
            if (draft.Now < deadline) return;
            foreach (var name in state.Workers.Where(n => draft[n].Target == state.Attempt && !draft[n].IsOnTarget))
            {
                FailureDetector.Report(draft, FailureDetector.Of(draft[name], FailureKind.BarrierTimeout, "it was released and did not start", draft.Now, "deadline"));
            }

            return;
        }

        draft.Set(s => s with
        {
            LastAdvance = draft.Now,
            History = s.Plan is { } p ? [.. s.History.TakeLast(19), p with { Steps = [.. p.Steps.Where(x => x.OldPod is not null)], Failures = [.. p.Failures.Take(5)] }] : s.History,
            Timing = s.Timing is { } t ? t with { Released = draft.Now } : null,
        });
        draft.EnterPhase(GangPhase.Running, $"attempt {state.Attempt}");
        draft.Enter(Stage.Running);
        draft.Save(planInProgress: false);
    }

    /// <summary>Whatever fails before the release joins: the plan grows, the attempt number does not.</summary>
    private static bool JoinFailures(GangDraft draft)
    {
        var plan = draft.State.Plan!;
        if (!draft.State.Failures.IsEmpty) DropIgnored(draft, plan);
        var state = draft.State;
        if (state.Failures.IsEmpty) return false;
        draft.Set(s => s with { Failures = [] });
        if (Hopeless(draft, plan, state.Failures) is { } hopeless)
        {
            draft.Decided = GangDecisions.WithoutSteps(hopeless, plan.Attempt, draft.Now);
            Reconciler.End(draft, GangPhase.Failed, $"{hopeless.Failures[0]} ({hopeless.Decision.Reason})");
            return true;
        }

        var decided = Rejoin(state, plan, draft.Now);
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
        var before = state with { Recoveries = [.. GangDecisions.Before(state, plan.Attempt)] };
        var decided = GangDecisions.Decide(before, ranked, Math.Max(1, plan.Attempt - 1), now);
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
        var before = draft.State with { Recoveries = [.. GangDecisions.Before(draft.State, plan.Attempt)] };
        foreach (var failure in draft.State.Failures)
        {
            if (!failure.Kind.LeavesPod() || !GangDecisions.Ignores(before, failure, Math.Max(1, plan.Attempt - 1), draft.Now)) continue;
            draft.Set(s => s with { Failures = s.Failures.Remove(failure) });
            draft.Notice($"ignored: {failure}");
            if (failure.Pod is { } name && draft.Find(name) is { } pod) draft.Put(pod.Ignoring(failure.Kind, plan.Attempt));
        }
    }

    /// <summary>
    /// A new Pod in which no worker has run yet cannot have failed for the sake of the first cause. If a rule fails the gang for what has befallen
    /// it, another Pod would meet the same.
    /// </summary>
    private static GangDecision? Hopeless(GangDraft draft, RecoveryPlan plan, ImmutableArray<Failure> failures)
    {
        var before = draft.State with { Recoveries = [.. GangDecisions.Before(draft.State, plan.Attempt)] };
        foreach (var failure in failures)
        {
            if (failure.Pod is not { } name || draft.Find(name) is not { MayRun: false, Planned: RecoveryStep.Recreate }) continue;
            var decided = GangDecisions.Decide(before, [failure], Math.Max(1, plan.Attempt - 1), draft.Now);
            // Of a spent budget there is nothing to say: within a recovery none is counted.
            if (decided.Decision is not { Strategy: RecoveryStrategy.FailGang, Budgets.IsEmpty: true } fails) continue;
            return plan.Cause is { } first ? decided with { Decision = fails with { Reason = $"{fails.Reason}; first cause: {first}" } } : decided;
        }

        return null;
    }

    private static void Command(GangDraft draft, PodState pod, RecoveryStep step)
    {
        var attempt = draft.State.Attempt;
        if (!pod.Connected || pod.Agent is not { } agent || !(agent.Phase is AgentPhase.Running or AgentPhase.Exited || pod.MayStart) || agent.Attempt >= attempt && !IsOwnEnd(agent, attempt))
        {
            return;
        }

        if (pod.CommandedAttempt == attempt && pod.CommandedInstance == agent.Instance && draft.Now < pod.CommandedAt + Repeat)
        {
            draft.WakeAt(pod.CommandedAt + Repeat);
            return;
        }

        draft.Put(pod with
        {
            CommandedAttempt = attempt,
            CommandedInstance = agent.Instance,
            CommandedAt = draft.Now,
            CommandedFirst = pod.CommandedAttempt == attempt ? pod.CommandedFirst : draft.Now,
        });
        var grace = agent.Phase == AgentPhase.Running ? draft.Spec.WorkerGrace : TimeSpan.Zero;
        var cause = draft.State.Plan!.Cause?.ToString() ?? draft.State.Plan.Reason;
        draft.Emit(new RestartWorker(pod.Name, pod.Uid!, attempt, step is RecoveryStep.RestartInPlace, grace, cause));
    }

    // It ended in this very attempt before all were released: it must come back to the barrier too.
    private static bool IsOwnEnd(AgentObservation agent, int attempt) => agent.Phase == AgentPhase.Exited && agent.Attempt == attempt;

    private static bool OldOnesAreQuiet(GangDraft draft)
    {
        var quiet = true;
        foreach (var pod in draft.Pods)
        {
            if (!(pod.Doomed || pod.Idle) || Quiet.Is(draft.State, pod, draft.Now)) continue;
            quiet = false;
            if (Quiet.FencedAt(draft.State, pod) is { } fenced) draft.WakeAt(fenced);
        }

        return quiet;
    }

    private static void Open(GangDraft draft)
    {
        draft.Set(s => s with { Timing = s.Timing is { } t ? t with { BarrierComplete = draft.Now } : null });
        StepCosts.LearnFrom(draft);
        draft.Enter(Stage.Releasing);
        var waiting = draft.State.Workers.Where(n => draft[n].Target == draft.State.Attempt && draft[n].Agent?.Phase == AgentPhase.Waiting).ToImmutableArray();
        if (!waiting.IsEmpty) Release(draft, waiting);
    }

    private static void Release(GangDraft draft, ImmutableArray<string> pods)
    {
        var state = draft.State;
        var ranks = state.Ranks();
        var targets = ImmutableArray.CreateBuilder<ReleaseTarget>(pods.Length);
        foreach (var name in pods)
        {
            var pod = draft[name];
            targets.Add(new ReleaseTarget(name, pod.Uid!, ranks[name]));
            draft.Put(pod with
            {
                MayRun = true,
                RestartCause = null,
                ReleasedAttempt = state.Attempt,
                ReleasedInstance = pod.Agent!.Instance,
                ReleasedAt = draft.Now,
            });
        }

        draft.Emit(new ReleaseGang(state.Attempt, Rosters.Of(draft), targets.ToImmutable()));
    }

    /// <summary>The declared order: spare, or another recreate, for who is missing; then recreate all; then fail.</summary>
    private static void WatchDeadline(GangDraft draft)
    {
        var plan = draft.State.Plan!;
        var starting = draft.State.Phase == GangPhase.Starting;
        var deadline = draft.State.BarrierSince + (starting ? draft.Spec.StartDeadline : draft.Spec.BarrierDeadline);
        draft.WakeAt(deadline);
        if (draft.Now < deadline)
        {
            Placement.Run(draft);
            JoinFailures(draft);
            return;
        }

        var kind = starting ? FailureKind.StartTimeout : FailureKind.BarrierTimeout;
        var missing = Late(draft, draft.AwaitedPods(), kind);
        foreach (var failure in missing) draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, failure));
        if (plan.Fallback >= 2 || missing.IsEmpty)
        {
            var first = plan.Cause ?? missing.FirstOrDefault();
            var who = missing.IsEmpty ? "a replaced Pod cannot be shown to have ended" : string.Join("; ", missing.Take(3));
            Reconciler.End(draft, GangPhase.Failed, $"the barrier was not complete in time: {who}{(first is null ? "" : $"; first cause: {first}")}");
            return;
        }

        var strategy = plan.Fallback == 0 ? plan.Strategy : RecoveryStrategy.RecreateGang;
        draft.Notice($"the barrier was not complete in time ({missing.Length} missing): {(plan.Fallback == 0 ? "new Pods for them" : "new Pods for all")}");
        // The cause's node was dealt with when the plan was made; whether theirs are to blame, their own kind says.
        var decision = (plan.Decision ?? new PolicyDecision(strategy) { Reason = plan.Reason }) with { Strategy = strategy, AvoidNode = false, NotBefore = plan.NotBefore };
        var next = GangDecisions.Plan(draft.ToState(), decision, missing, plan.Attempt, draft.Now);
        Continue(draft, next with { Fallback = plan.Fallback + 1, Steps = strategy == RecoveryStrategy.RecreateGang ? next.Steps : KeepScope(plan, next.Steps) }, missing);
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

    /// <summary>Each of these is not there by its deadline, and why.</summary>
    public static ImmutableArray<Failure> Late(GangDraft draft, IEnumerable<PodState> pods, FailureKind kind) =>
        [.. pods.Select(p => FailureDetector.Of(p, kind, Missing(p), draft.Now, "deadline") with { Noticed = draft.Now })];

    public static string Missing(PodState pod) => pod switch
    {
        { Pod.UnschedulableMessage: { } message } => $"Unschedulable: {message}",
        { Pod: null } => $"its Pod has not been created{(pod.CreateError is { } why ? $": {why}" : "")}",
        { Agent: null } => $"its agent has not been heard of; the Pod is {pod.Pod!.Phase}{Why(pod.Pod)}",
        { Connected: false } => "its agent is silent",
        _ => $"its agent is {pod.Agent.Phase} in attempt {pod.Agent.Attempt}",
    };

    private static string Why(PodObservation pod) =>
        pod.Containers.FirstOrDefault(c => c.State == ContainerState.Waiting) is { } c ? $", container {c.Name}: {c.Reason} {c.Message}".TrimEnd() : "";
}
