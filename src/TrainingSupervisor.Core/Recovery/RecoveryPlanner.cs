using System.Collections.Immutable;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor;

/// <summary>From failures and state to a plan. Pure: the running supervisor and Explain use the same.</summary>
internal static class RecoveryPlanner
{
    /// <summary>The likeliest first cause comes first: by kind, then by when it happened.</summary>
    public static ImmutableArray<Failure> Rank(IEnumerable<Failure> failures) =>
        [.. failures.OrderBy(f => f.Kind.CauseRank()).ThenBy(f => f.At)];

    public static (RecoveryStrategy Strategy, string Reason) Decide(GangState state, Failure cause, DateTimeOffset now)
    {
        var policy = state.Spec.Policy;
        var (strategy, reason) = Choose(policy, cause);
        if (strategy is RecoveryStrategy.FailGang or RecoveryStrategy.Ignore) return (strategy, reason);
        var spent = state.Recoveries.Count(t => t > now - policy.BudgetWindow);
        return spent >= policy.Budget
            ? (RecoveryStrategy.FailGang, $"the budget of {policy.Budget} recoveries in {policy.BudgetWindow} is spent")
            : (strategy, reason);
    }

    public static RecoveryPlan Plan(
        GangState state, ImmutableArray<Failure> failures, RecoveryStrategy strategy, string reason, int attempt, DateTimeOffset now)
    {
        var avoid = failures.Where(f => f.Kind.BlamesNode() && f.Node is not null).Select(f => f.Node!)
            .Concat(state.Quarantined.Keys).Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        var spares = state.Pods.Values
            .Where(p => p.Worker is null && !p.Doomed && !p.Gone && p.Arrived(int.MaxValue) && !avoid.Contains(p.Node ?? ""))
            .OrderBy(p => p.Name, StringComparer.Ordinal).GroupBy(p => p.Role).ToDictionary(g => g.Key, g => new Queue<PodState>(g));
        var blamed = failures.Where(f => f.Pod is not null && f.Kind.BlamesPod()).GroupBy(f => f.Pod!).ToDictionary(g => g.Key, g => g.First());

        var steps = ImmutableArray.CreateBuilder<WorkerStep>(state.Workers.Length);
        for (var rank = 0; rank < state.Workers.Length; rank++)
        {
            steps.Add(StepFor(state, state.WorkerAt(rank), state.Pods[state.Workers[rank]], strategy, blamed, spares));
        }

        return new RecoveryPlan
        {
            Attempt = attempt,
            Cause = failures.FirstOrDefault(),
            Failures = failures,
            Strategy = strategy,
            Reason = reason,
            Steps = steps.ToImmutable(),
            AvoidNodes = avoid,
            Decided = now,
            NotBefore = now + Backoff(state, now),
        };
    }

    private static (RecoveryStrategy Strategy, string Reason) Choose(RecoveryPolicy policy, Failure cause)
    {
        for (var i = 0; i < policy.Rules.Length; i++)
        {
            if (policy.Rules[i].Matches(cause)) return (policy.Rules[i].Strategy, $"rule {i + 1}, {policy.Rules[i]}");
        }

        return cause.Kind.IsHopeless()
            ? (RecoveryStrategy.FailGang, $"{cause.Kind} is not cured by trying again")
            : (RecoveryStrategy.Hybrid, $"the default for {cause.Kind}");
    }

    private static TimeSpan Backoff(GangState state, DateTimeOffset now)
    {
        var policy = state.Spec.Policy;
        var before = state.Recoveries.Count(t => t > now - policy.BudgetWindow);
        if (before == 0 || policy.Backoff == TimeSpan.Zero) return TimeSpan.Zero;
        var wait = policy.Backoff.TotalSeconds * Math.Pow(2, Math.Min(before - 1, 30));
        return TimeSpan.FromSeconds(Math.Min(wait, policy.MaxBackoff.TotalSeconds));
    }

    private static WorkerStep StepFor(
        GangState state, WorkerId worker, PodState pod, RecoveryStrategy strategy,
        Dictionary<string, Failure> blamed, Dictionary<string, Queue<PodState>> spares)
    {
        WorkerStep Step(RecoveryStep step, string why) => new(worker, step, why) { Pod = pod.Name };

        var why = strategy == RecoveryStrategy.RecreateGang ? "the strategy recreates every Pod"
            : blamed.TryGetValue(pod.Name, out var failure) ? $"{failure.Kind} blames the Pod or its node"
            : pod.Gone ? "its Pod is gone"
            : pod.HasEnded ? "its Pod has ended"
            : pod.Pod?.Deleting == true ? "its Pod is being deleted"
            : SidecarDetector.EndedForGood(state.Spec, pod) is not null ? "its worker's container has ended and its Pod has no rule to start it again"
            : null;
        if (why is not null)
        {
            if (strategy != RecoveryStrategy.RecreateGang && spares.TryGetValue(worker.Role, out var queue) && queue.TryDequeue(out var spare))
            {
                return new WorkerStep(worker, RecoveryStep.ReplaceWithSpare, $"{why}, and a spare waits at the barrier")
                {
                    Pod = spare.Name,
                    OldPod = pod.Name,
                };
            }

            return new WorkerStep(worker, RecoveryStep.Recreate, why) { Pod = PodNames.Next(state, worker), OldPod = pod.Name };
        }

        if (pod.Connected && pod.Agent?.Phase == AgentPhase.Waiting) return Step(RecoveryStep.Keep, "it waits at the barrier already");
        if (state.Spec.Role(worker.Role).Sidecar) return SidecarStep(state, worker, pod);
        if (strategy == RecoveryStrategy.RestartProcesses) return Step(RecoveryStep.RestartProcess, "the strategy restarts processes");
        if (!state.RestartsInPlace) return Step(RecoveryStep.RestartProcess, "the API server does not know RestartAllContainers");
        if (pod.Pod is { RestartsInPlace: false }) return Step(RecoveryStep.RestartProcess, "its Pod was made without the rule for RestartAllContainers");
        var node = pod.Node is null ? null : state.Nodes.GetValueOrDefault(pod.Node);
        return node is { RestartsInPlace: false }
            ? Step(RecoveryStep.RestartProcess, $"node {node.Name} does not declare RestartAllContainersOnContainerExits")
            : Step(RecoveryStep.RestartInPlace, "its Pod is healthy");
    }

    /// <summary>A sidecar cannot restart its worker's process, so whoever cannot be restarted in place gets a new Pod.</summary>
    private static WorkerStep SidecarStep(GangState state, WorkerId worker, PodState pod)
    {
        var node = pod.Node is null ? null : state.Nodes.GetValueOrDefault(pod.Node);
        var why = !state.RestartsInPlace ? "the API server does not know RestartAllContainers"
            : pod.Pod is { RestartsInPlace: false } ? "its Pod was made without the rule for RestartAllContainers"
            : node is { RestartsInPlace: false } ? $"node {node.Name} does not declare RestartAllContainersOnContainerExits"
            : null;
        return why is null
            ? new WorkerStep(worker, RecoveryStep.RestartInPlace, "its Pod is healthy") { Pod = pod.Name }
            : new WorkerStep(worker, RecoveryStep.Recreate, $"{why}, and a sidecar cannot restart its worker's process") { Pod = PodNames.Next(state, worker), OldPod = pod.Name };
    }
}
