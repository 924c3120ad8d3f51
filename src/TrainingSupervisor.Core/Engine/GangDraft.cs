using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>A state while one step works on it, and the effects that the step asks for. Lives no longer than the step.</summary>
internal sealed class GangDraft
{
    private readonly ImmutableArray<GangEffect>.Builder _effects = ImmutableArray.CreateBuilder<GangEffect>();
    private readonly Table<PodState>.Builder _pods;
    private readonly Table<NodeObservation>.Builder _nodes;
    private readonly Dictionary<string, PodState?> _before = [];
    private GangState _state;
    private bool? _anyConnected;

    public GangDraft(GangState state, DateTimeOffset now)
    {
        _state = state;
        _pods = state.Pods.ToBuilder();
        _nodes = state.Nodes.ToBuilder();
        Now = now;
    }

    public DateTimeOffset Now { get; }
    public DateTimeOffset? NextWake { get; private set; }

    /// <summary>What this step has decided about failures, for whoever asks for the decision alone.</summary>
    public RecoveryPlan? Decided { get; set; }
    public GangSpec Spec => _state.Spec;
    public bool Synced => _state.Synced;
    public bool IsOver => _state.IsOver;
    public IEnumerable<PodState> Pods => _pods.Values;
    public int PodCount => _pods.Count;

    /// <summary>Looked for once, and not for each of ten thousand silent workers.</summary>
    public bool AnyConnected => _anyConnected ??= _pods.Values.Any(p => p.Connected);

    /// <summary>The state so far, without this step's changes to Pods: see <see cref="ToState"/>.</summary>
    public GangState State
    {
        get
        {
            var nodes = _nodes.ToTable();
            if (nodes != _state.Nodes) _state = _state with { Nodes = nodes };
            return _state;
        }
    }

    public void Set(Func<GangState, GangState> change) => _state = change(State);

    public PodState? Find(string name) => _pods.GetValueOrDefault(name);

    public PodState this[string name] => _pods[name];

    public PodState AtRank(int rank) => _pods[_state.Workers[rank]];

    /// <summary>The workers' Pods that the barrier waits for.</summary>
    public List<PodState> AwaitedPods() => [.. _state.Workers.Select(n => _pods[n]).Where(p => p.IsAwaited(_state.Attempt))];

    public void Put(PodState pod)
    {
        var known = _pods.GetValueOrDefault(pod.Name);
        _before.TryAdd(pod.Name, known);
        if (known?.Connected != pod.Connected) _anyConnected = null;
        _pods[pod.Name] = pod;
    }

    public void Forget(string name)
    {
        _before.TryAdd(name, _pods.GetValueOrDefault(name));
        _anyConnected = null;
        _pods.Remove(name);
    }

    public void Put(NodeObservation node) => _nodes[node.Name] = node;

    public void Emit(GangEffect effect) => _effects.Add(effect);

    public void Tell(GangEvent happened) => _effects.Add(new Publish(happened));

    public void Notice(string text) => Tell(new GangNotice(Spec.Name, Now, text));

    /// <summary>Be called again at this moment, or earlier.</summary>
    public void WakeAt(DateTimeOffset moment)
    {
        if (NextWake is null || moment < NextWake) NextWake = moment < Now ? Now : moment;
    }

    public void Enter(Stage stage) => _state = _state with { Stage = stage, StageSince = Now };

    public void EnterPhase(GangPhase phase, string reason)
    {
        if (_state.Phase == phase) return;
        _state = _state with { Phase = phase };
        Tell(new PhaseChanged(Spec.Name, Now, phase, _state.Attempt, reason));
    }

    /// <summary>Writes the record; what is put after this with <see cref="PodState.NeedsSaved"/> waits for it.</summary>
    public long Save(bool planInProgress)
    {
        _state = _state with { SaveSequence = _state.SaveSequence + 1, PodsUnsaved = false };
        var retired = _pods.Values.Where(p => p is { Doomed: true, MayRun: true, Uid: not null } && !Quiet.Is(_state, p, Now))
            .ToImmutableSortedDictionary(p => p.Name, p => new RetiredPod(p.Uid!, p.Node, p.LastSign) { Role = p.Role });
        Emit(new SaveRecord(_state.SaveSequence, new GangRecord
        {
            Attempt = _state.Attempt,
            Phase = _state.Phase,
            Plan = planInProgress && _state.Plan is { } plan ? ForRecord(plan) : null,
            Incarnations = _state.Incarnations,
            Assigned = _state.Assigned,
            SpareSerials = _state.SpareSerials,
            Shrunk = _state.Shrunk,
            GrowRequested = _state.GrowRequested,
            Idle = _pods.Values.Where(p => p is { Idle: true, Doomed: false }).ToImmutableSortedDictionary(p => p.Name, p => p.Role),
            Pools = _pods.Values.Where(p => p is { Pool.Length: > 0, Worker: null, Doomed: false }).ToImmutableSortedDictionary(p => p.Name, p => $"{p.Role} {p.Pool}"),
            Targets = Targets(),
            Costs = _state.Costs,
            Quarantined = _state.Quarantined,
            Recoveries = _state.Recoveries,
            History = [.. _state.History.Select(ForRecord)],
            Retired = retired,
            Adopted = Adoption.Known(this).ToImmutableSortedDictionary(),
            Outcome = _state.Outcome,
        }));
        return _state.SaveSequence;
    }

    /// <summary>Dumps are for events: a record must stay small.</summary>
    private static RecoveryPlan ForRecord(RecoveryPlan plan) => plan.Failures.All(f => f.Diagnostics.Length == 0) && plan.Cause is not { Diagnostics.Length: > 0 } ? plan : plan with
    {
        Cause = plan.Cause is { } cause ? cause with { Diagnostics = "" } : null,
        Failures = [.. plan.Failures.Select(f => f with { Diagnostics = "" })],
    };

    private ImmutableArray<int> Targets()
    {
        var targets = _state.Workers.Select(n => _pods[n].Target);
        return targets.All(t => t == _state.Attempt) ? [] : [.. targets];
    }

    public void PlanStart()
    {
        var names = ImmutableArray.CreateBuilder<string>();
        var steps = ImmutableArray.CreateBuilder<WorkerStep>();
        for (var rank = 0; rank < Spec.WorldSize; rank++)
        {
            var worker = _state.WorkerAt(rank);
            var name = PodNames.Of(Spec, worker, 1);
            names.Add(name);
            steps.Add(new WorkerStep(worker, RecoveryStep.Recreate, "the gang starts") { Pod = name });
            Put(NewPod(name, worker.Role, worker, 1) with { NeedsSaved = 1, Target = 1, Planned = RecoveryStep.Recreate });
        }

        _state = _state with
        {
            Workers = names.ToImmutable(),
            Plan = new RecoveryPlan { Attempt = 1, Steps = steps.ToImmutable(), Reason = "first start", Decided = Now, NotBefore = Now },
        };
        PodKeeper.RefillSpares(this, 1);
        Start(Now, Now);
    }

    /// <summary>After a takeover: which Pods there must be.</summary>
    public void ExpectPodsOf(GangRecord record)
    {
        var assigned = record.Assigned.ToDictionary(a => a.Value, a => a.Key);
        var names = ImmutableArray.CreateBuilder<string>();
        for (var rank = 0; rank < _state.WorldSize; rank++)
        {
            var worker = _state.WorkerAt(rank);
            var target = rank < record.Targets.Length ? record.Targets[rank] : record.Attempt;
            if (Spec.IsAdopted)
            {
                var adopted = Adoption.Expect(this, record, worker);
                names.Add(adopted.Name);
                Put(adopted with { Target = target });
                continue;
            }

            var incarnation = record.Incarnations.GetValueOrDefault(worker.ToString(), 1);
            var name = assigned.GetValueOrDefault(worker.ToString()) ?? PodNames.Of(Spec, worker, incarnation);
            names.Add(name);
            var step = record.Plan is { } current && rank < current.Steps.Length ? current.Steps[rank].Step : default;
            Put(NewPod(name, worker.Role, worker, incarnation) with
            {
                MayRun = true,
                Target = target,
                Planned = step,
            });
        }

        foreach (var (name, pool) in record.Pools)
        {
            var space = pool.IndexOf(' ', StringComparison.Ordinal);
            Put(NewPod(name, pool[..space], null, 0) with { Pool = pool[(space + 1)..] });
        }

        foreach (var (name, role) in record.Idle)
        {
            Put(NewPod(name, role, null, 0) with { Idle = true, MayRun = true, Target = record.Attempt });
        }

        _state = _state with { Workers = names.ToImmutable() };
        foreach (var (name, pod) in record.Retired)
        {
            Put(NewPod(name, pod.Role, null, 0) with { Uid = pod.Uid, Node = pod.Node, Doomed = true, MayRun = true, LastSign = pod.LastSign });
        }

        if (record.Plan is { } plan) Start(plan.Cause?.At ?? plan.Decided, plan.Cause?.Noticed ?? plan.Decided, plan.Decided);
    }

    public void Start(DateTimeOffset failed, DateTimeOffset detected, DateTimeOffset? decided = null) =>
        _state = _state with { Timing = new RecoveryTiming(failed, detected, decided ?? Now, null, null, null, null, null) };

    public PodState NewPod(string name, string role, WorkerId? worker, int incarnation) =>
        new() { Name = name, Role = role, Worker = worker, Incarnation = incarnation, LastSign = Now };

    public NodeObservation? NodeOf(PodState pod) => pod.Node is null ? null : _nodes.GetValueOrDefault(pod.Node);

    public NodeObservation? FindNode(string name) => _nodes.GetValueOrDefault(name);

    /// <summary>The state with this step's Pods, as the planner reads it.</summary>
    public GangState ToState() => _state = State with { Pods = _pods.ToTable() };

    public ImmutableArray<GangEffect> Effects()
    {
        Dictionary<string, int>? ranks = null;
        foreach (var (name, before) in _before)
        {
            if (_pods.GetValueOrDefault(name) is { Doomed: false } pod)
            {
                var status = Status(pod, 0);
                if (before is not null && Status(before, 0) with { Step = status.Step } == status) continue;
                ranks ??= _state.Ranks();
                var rank = ranks.GetValueOrDefault(name, -1);
                // A Pod that has no place yet is no worker.
                if (rank >= 0 || !Spec.IsAdopted) Tell(new WorkerChanged(Spec.Name, Now, Status(pod, rank)));
            }
        }

        return _effects.ToImmutable();
    }

    public static WorkerStatus Status(PodState pod, int rank)
    {
        var state = pod switch
        {
            { HasEnded: true } or { Gone: true } => "Lost",
            { Connected: true, Agent.Phase: AgentPhase.Waiting } => "Waiting",
            { Connected: true, Agent.Phase: AgentPhase.Running } => "Running",
            { Connected: true, Agent.Phase: AgentPhase.Exited } => "Exited",
            { Agent.Phase: AgentPhase.Leaving } or { Pod.AllContainersRestarting: true } => "Restarting",
            { Agent: not null } => "Silent",
            _ => "Pending",
        };
        var attempt = pod.Agent?.Attempt ?? 0;
        return new WorkerStatus(pod.Worker, pod.Worker is null ? -1 : rank, pod.Name, pod.Node, state, attempt,
            pod.Progress is { } p && p.Attempt == attempt ? p.Step : -1);
    }
}
