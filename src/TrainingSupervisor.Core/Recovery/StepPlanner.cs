using System.Collections.Immutable;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor;

/// <summary>Gives each worker of one plan its step: the cheapest that is safe for it.</summary>
internal sealed class StepPlanner
{
    private readonly GangState _state;
    private readonly RecoveryStrategy _strategy;
    private readonly HashSet<string> _avoid;
    private readonly Dictionary<string, string> _replace = [];
    private readonly string? _culprit;
    private readonly HashSet<(string Role, int Cell)> _cells = [];
    private readonly Dictionary<string, List<PodState>> _spares;

    public StepPlanner(GangState state, ImmutableArray<Failure> failures, RecoveryStrategy strategy, IEnumerable<string> avoid, bool avoidNode, DateTimeOffset now)
    {
        _state = state;
        _strategy = strategy;
        _avoid = [.. avoid];
        for (var i = 0; i < failures.Length; i++)
        {
            if (failures[i].Pod is not { } pod) continue;
            // Only the first cause: its peers fail with it, and must not be replaced for that.
            if (i == 0) _culprit = pod;
            if (WhyNew(failures[i], i == 0, avoidNode) is { } why) _replace.TryAdd(pod, why);
        }

        foreach (var failure in failures)
        {
            if ((failure.Worker ?? WorkerOf(failure.Pod)) is { } worker) _cells.Add((worker.Role, CellOf(worker)));
        }

        _spares = state.Pods.Values
            .Where(p => Spares.CanServe(state, p, now) && !_avoid.Contains(p.Node ?? ""))
            .OrderBy(p => p.Name, StringComparer.Ordinal).GroupBy(p => p.Role).ToDictionary(g => g.Key, g => g.ToList());
    }

    /// <summary>Pods that had a worker and become spares.</summary>
    public List<string> Idle { get; } = [];

    public string Scope => !IsCells ? "gang" : string.Join(", ", _cells.Order().Select(c => _state.Spec.Role(c.Role).CellSize > 0 ? Cells.Name(c.Role, c.Cell) : c.Role));

    // A failure of the gang as a whole touches the whole gang.
    private bool IsCells => _strategy == RecoveryStrategy.RestartCell && _cells.Count > 0;

    /// <param name="mayGrow">Whether a shrunk role takes back workers, as far as spares wait for them.</param>
    public ImmutableArray<WorkerStep> Steps(bool mayGrow)
    {
        var steps = ImmutableArray.CreateBuilder<WorkerStep>(_state.WorldSize);
        var rank = 0;
        foreach (var role in _state.Spec.Roles)
        {
            var count = _state.CountOf(role);
            var pods = Enumerable.Range(rank, count).Select(r => _state.Pods[_state.Workers[r]]).ToArray();
            rank += count;
            var shrunk = _strategy == RecoveryStrategy.ShrinkGang ? Shrink(role, pods) : null;
            if (shrunk is not null) steps.AddRange(shrunk);
            else
            {
                for (var index = 0; index < count; index++) steps.Add(StepFor(role, new WorkerId(role.Name, index), pods[index]));
                if (mayGrow && !IsCells && _strategy != RecoveryStrategy.ShrinkGang) Grow(role, count, steps);
            }
        }

        return steps.ToImmutable();
    }

    private WorkerId? WorkerOf(string? pod) => pod is null ? null : _state.Pods.GetValueOrDefault(pod)?.Worker;

    private int CellOf(WorkerId worker) =>
        Cells.IndexOf(_state.Spec, worker) ?? 0;

    private string? WhyNew(Failure failure, bool isCause, bool avoidNode) =>
        failure.IsUnfit ? "the health check says that it may not stay in its Pod"
        : failure.BlamesPod() ? $"{failure.Kind} blames the Pod or its node"
        : !isCause ? null
        : avoidNode ? $"the rule for {failure.Kind} avoids the node"
        : _strategy is RecoveryStrategy.RecreateFailed or RecoveryStrategy.ReplaceWithSpare ? $"the strategy gives whoever failed another Pod ({failure.Kind})"
        : null;

    private string? WhyNew(PodState pod) =>
        _strategy == RecoveryStrategy.RecreateGang ? "the strategy recreates every Pod"
        : _replace.TryGetValue(pod.Name, out var why) ? why
        : pod.Gone ? "its Pod is gone"
        : pod.HasEnded ? "its Pod has ended"
        : pod.Pod?.Deleting == true ? "its Pod is being deleted"
        : ContainerDetector.EndedForGood(_state.Spec, pod) is not null ? "its worker's container has ended and its Pod has no rule to start it again"
        : null;

    private WorkerStep StepFor(RoleSpec role, WorkerId worker, PodState pod)
    {
        var others = IsCells && !_cells.Contains((worker.Role, CellOf(worker)));
        // Whoever of another cell has done its work needs no Pod any more.
        if (!(others && pod.Finished(pod.Target)) && WhyNew(pod) is { } why) return New(role, worker, pod, why);
        if (others)
        {
            return new WorkerStep(worker, RecoveryStep.Keep, "its cell is not touched") { Pod = pod.Name, InScope = false };
        }

        return Same(role, worker, pod);
    }

    private WorkerStep New(RoleSpec role, WorkerId worker, PodState pod, string why)
    {
        var (bySpare, anew) = (_state.Costs.Of(RecoveryStep.ReplaceWithSpare), _state.Costs.Of(RecoveryStep.Recreate));
        var wanted = _strategy == RecoveryStrategy.ReplaceWithSpare || (_strategy != RecoveryStrategy.RecreateGang && bySpare <= anew);
        if (wanted && TakeSpare(role, pod) is { } spare)
        {
            return new WorkerStep(worker, RecoveryStep.ReplaceWithSpare, $"{why}, and a spare waits at the barrier (about {PlanText.Seconds(bySpare)}, against {PlanText.Seconds(anew)} for a new Pod)")
            {
                Pod = spare.Name,
                OldPod = pod.Name,
            };
        }

        return new WorkerStep(worker, RecoveryStep.Recreate, why) { Pod = PodNames.Next(_state, worker), OldPod = pod.Name };
    }

    /// <summary>The worker stays in this Pod, or comes into it from another worker's place.</summary>
    private WorkerStep Same(RoleSpec role, WorkerId worker, PodState pod)
    {
        WorkerStep Step(RecoveryStep step, string why) => new(worker, step, why) { Pod = pod.Name };

        if (pod.Connected && pod.Agent?.Phase == AgentPhase.Waiting) return Step(RecoveryStep.Keep, "it waits at the barrier already");
        if (role.Sidecar)
        {
            // A sidecar cannot restart its worker's process, so whoever cannot be restarted in place gets a new Pod.
            return WhyNotInPlace(pod) is { } cannot
                ? New(role, worker, pod, $"{cannot}, and a sidecar cannot restart its worker's process")
                : Step(RecoveryStep.RestartInPlace, "its Pod is healthy");
        }

        if (_strategy == RecoveryStrategy.RestartProcesses) return Step(RecoveryStep.RestartProcess, "the strategy restarts processes");
        return WhyNotInPlace(pod) is { } not ? Step(RecoveryStep.RestartProcess, not) : Step(RecoveryStep.RestartInPlace, "its Pod is healthy");
    }

    private string? WhyNotInPlace(PodState pod)
    {
        if (!_state.RestartsInPlace) return "the API server does not know RestartAllContainers";
        if (pod.Pod is { RestartsInPlace: false }) return "its Pod was made without the rule for RestartAllContainers";
        var node = _state.NodeOf(pod);
        return node is { RestartsInPlace: false } ? $"node {node.Name} does not declare RestartAllContainersOnContainerExits" : null;
    }

    private PodState? TakeSpare(RoleSpec role, PodState old)
    {
        if (!_spares.TryGetValue(role.Name, out var waiting)) return null;
        var spare = Spares.For(_state, waiting, role, old.Node);
        if (spare is not null) waiting.Remove(spare);
        return spare;
    }

    /// <summary>Null if the role may not shrink, or nobody of it is missing.</summary>
    private List<WorkerStep>? Shrink(RoleSpec role, PodState[] pods)
    {
        var lost = pods.Select(p => WhyNew(p) is not null || p.Name == _culprit).ToArray();
        var gone = lost.Count(l => l);
        if (gone == 0 || !role.IsElastic) return null;
        var count = (pods.Length - gone) / role.WorkerMultiple * role.WorkerMultiple;
        if (count < role.MinWorkers) return null;

        // The last workers give up their places; their Pods take those that fell empty, and what is left over waits as spares.
        var donors = new Queue<PodState>(pods.Where((_, i) => i >= count && !lost[i]));
        var steps = new List<WorkerStep>(count);
        for (var index = 0; index < count; index++)
        {
            var worker = new WorkerId(role.Name, index);
            if (!lost[index]) steps.Add(Same(role, worker, pods[index]));
            else
            {
                var donor = donors.Dequeue();
                var step = Same(role, worker, donor);
                steps.Add(step with { OldPod = pods[index].Name, Reason = $"the gang shrinks, and {donor.Worker} takes this place: {step.Reason}" });
            }
        }

        Idle.AddRange(donors.Select(p => p.Name));
        // A replacement that is on its way is a spare when it comes; one that was not made yet need not be.
        Idle.AddRange(pods.Where((p, i) => lost[i] && p is { IsOrdered: true, MayRun: false, Gone: false, HasEnded: false }).Select(p => p.Name));
        return steps;
    }

    private void Grow(RoleSpec role, int count, ImmutableArray<WorkerStep>.Builder steps)
    {
        if (count == role.Count || !_spares.TryGetValue(role.Name, out var waiting)) return;
        var free = waiting.Where(s => s.Pool.Length == 0).ToList();
        var size = Math.Min(role.Count, (count + free.Count) / role.WorkerMultiple * role.WorkerMultiple);
        for (var index = count; index < size; index++)
        {
            var spare = free[index - count];
            waiting.Remove(spare);
            steps.Add(new WorkerStep(new WorkerId(role.Name, index), RecoveryStep.ReplaceWithSpare, "the gang grows back, and a spare waits at the barrier") { Pod = spare.Name });
        }
    }
}
