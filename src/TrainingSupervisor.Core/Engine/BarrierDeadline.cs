using System.Collections.Immutable;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine;

/// <summary>The declared order when the barrier is not complete in time: spare, or another recreate, for who is missing; then recreate all; then fail.</summary>
internal static class BarrierDeadline
{
    public static void Watch(GangDraft draft)
    {
        var plan = draft.State.Plan!;
        var starting = draft.State.Phase == GangPhase.Starting;
        var deadline = draft.State.BarrierSince + (starting ? draft.Spec.StartDeadline : draft.Spec.BarrierDeadline);
        draft.WakeAt(deadline);
        if (draft.Now < deadline)
        {
            Placement.Run(draft);
            JoinedFailures.Run(draft);
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
        JoinedFailures.Continue(draft, next with { Fallback = plan.Fallback + 1, Steps = strategy == RecoveryStrategy.RecreateGang ? next.Steps : JoinedFailures.KeepScope(plan, next.Steps) }, missing);
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
