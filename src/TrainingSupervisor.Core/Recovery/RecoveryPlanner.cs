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

    // The decision says how long to wait (Policies/GangDecisions).
    private static TimeSpan Backoff(GangState state, DateTimeOffset now) => TimeSpan.Zero;

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
        if (strategy == RecoveryStrategy.RestartProcesses) return Step(RecoveryStep.RestartProcess, "the strategy restarts processes");
        if (!state.RestartsInPlace) return Step(RecoveryStep.RestartProcess, "the API server does not know RestartAllContainers");
        if (pod.Pod is { RestartsInPlace: false }) return Step(RecoveryStep.RestartProcess, "its Pod was made without the rule for RestartAllContainers");
        var node = pod.Node is null ? null : state.Nodes.GetValueOrDefault(pod.Node);
        return node is { RestartsInPlace: false }
            ? Step(RecoveryStep.RestartProcess, $"node {node.Name} does not declare RestartAllContainersOnContainerExits")
            : Step(RecoveryStep.RestartInPlace, "its Pod is healthy");
    }
}
