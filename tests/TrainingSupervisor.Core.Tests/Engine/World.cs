using System.Collections.Immutable;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Core.Tests.Engine;

/// <summary>
/// A cluster, its agents and a supervisor in virtual time, driven by one seed. It checks the design's "never"s at every change, so a
/// property test only has to throw faults at it.
/// </summary>
internal sealed class World
{
    private readonly PriorityQueue<Action, (DateTimeOffset, long)> _queue = new();
    private readonly List<GangInput> _inbox = [];
    private long _order;
    private DateTimeOffset? _wake;
    private readonly List<PodGone> _unseenGone = [];
    private readonly Queue<SaveRecord> _saves = [];
    private bool _supervisorUp = true;
    private DateTimeOffset _apiBackAt = DateTimeOffset.MinValue;

    public World(int seed, GangSpec spec, int nodes, Func<World, SimController>? controller = null, TimeSpan? lease = null)
    {
        Random = new Random(seed);
        Spec = spec;
        Nodes = [.. Enumerable.Range(0, nodes).Select(i => new SimNode($"node-{i}") { Lease = lease ?? TimeSpan.FromSeconds(4) })];
        State = GangMachine.Start(spec, ++Term, restartsInPlace: true, Now);
        foreach (var node in Nodes) Renew(node);
        Controller = controller?.Invoke(this);
        Look();
        Post(new CacheSynced());
    }

    /// <summary>One whose gang runs in its first attempt.</summary>
    public static World Running(GangSpec spec, int nodes = 8, int seed = 1)
    {
        var world = new World(seed, spec, nodes);
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal((GangPhase.Running, Stage.Running, 1), (world.State.Phase, world.State.Stage, world.State.Attempt));
        return world;
    }

    public Random Random { get; }
    public GangSpec Spec { get; }
    public GangState State { get; private set; }
    public GangRecord? Record { get; private set; }
    public long Term { get; private set; }
    public DateTimeOffset Now { get; private set; } = DateTimeOffset.UnixEpoch;
    public List<SimNode> Nodes { get; }
    public Dictionary<string, SimPod> Pods { get; } = [];
    public List<SimPod> Ghosts { get; } = [];
    public List<string> Log { get; } = [];
    public List<GangEvent> Events { get; } = [];

    /// <summary>When which Pod was ordered.</summary>
    public List<(DateTimeOffset At, string Pod)> Ordered { get; } = [];
    public int Writes { get; private set; }
    public int Restarts { get; private set; }
    public double LossRate { get; set; }

    /// <summary>Who was asked to save, and when; each answers after so long.</summary>
    public List<(DateTimeOffset At, string Pod)> Quiesced { get; } = [];
    public double SaveMilliseconds { get; set; } = 500;

    /// <summary>The commands that agents were asked to run; each is run once and answered after so long.</summary>
    public List<(DateTimeOffset At, RunCommand Run)> Commands { get; } = [];
    public Func<SimPod, RunCommand, (int Code, string Output)> Command { get; set; } = (_, _) => (0, "");
    public double CommandMilliseconds { get; set; } = 2000;

    public List<(DateTimeOffset At, MarkNode Mark)> Marks { get; } = [];
    public bool RefusesMarks { get; set; }

    /// <summary>Why no Pod can be made for now.</summary>
    public string? RefusesPods { get; set; }

    /// <summary>What a Node says changes, and is told at once.</summary>
    public void Change(SimNode node, Action<SimNode> change)
    {
        change(node);
        node.EverTroubled |= node.Troubled;
        if (node.Healthy) Post(new NodeSeen(node.Seen(Now)));
    }

    public void Tell(GangInput input) => Post(input);

    /// <summary>A health system annotates the Pod.</summary>
    public void Annotate(SimPod pod, string text)
    {
        pod.Reported = text;
        pod.Faulty = true;
        Post(new PodSeen(pod.Observe()));
    }

    public void Add(string node)
    {
        Nodes.Add(new SimNode(node));
        Renew(Nodes[^1]);
    }

    /// <summary>What creates the Pods of an adopted gang.</summary>
    public SimController? Controller { get; }

    public IEnumerable<SimPod> Everything => Pods.Values.Concat(Ghosts);

    public SimPod PodOf(int rank) => Pods[State.Workers[rank]];

    public bool Settled => State.Stage is Stage.Running or Stage.Ended;

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (true)
        {
            Pump();
            var next = _queue.TryPeek(out _, out var at) ? at.Item1 : DateTimeOffset.MaxValue;
            if (_supervisorUp && _wake is { } wake && wake < next) next = wake;
            if (next > end) break;
            Now = next > Now ? next : Now;
            if (_queue.TryPeek(out _, out at) && at.Item1 <= Now) _queue.Dequeue()();
            else _inbox.Add(new Tick());
        }

        Now = end;
    }

    public void After(double ms, Action what) => _queue.Enqueue(what, (Now + TimeSpan.FromMilliseconds(ms), ++_order));

    public void Exit(SimPod pod, int code, int signal = 0, bool outOfMemory = false)
    {
        if (!pod.Alive || pod.Phase != AgentPhase.Running) return;
        Note($"{pod.Name} exits {code}");
        pod.Faulty = true;
        pod.Phase = AgentPhase.Exited;
        pod.Exit = new WorkerExit { Code = code, Signal = signal, OutOfMemory = outOfMemory, Ended = Now };
        Say(pod);
    }

    public void KillContainer(SimPod pod)
    {
        if (!pod.Alive) return;
        Note($"{pod.Name} killed");
        pod.Faulty = true;
        End(pod, PodPhase.Failed, 137);
    }

    public void Kill(SimNode node)
    {
        Note($"{node.Name} dies");
        node.Dead = true;
        foreach (var pod in Everything.Where(p => p.Node == node).ToList())
        {
            pod.Faulty = true;
            pod.Alive = false;
            Disconnect(pod);
        }
    }

    /// <summary>The node's kubelet and agents reach nothing; the workers run on until their agents fence them.</summary>
    public void Partition(SimNode node)
    {
        Note($"{node.Name} is cut off");
        node.Partitioned = true;
        foreach (var pod in Everything.Where(p => p.Node == node).ToList())
        {
            pod.Faulty = true;
            Disconnect(pod);
            var since = Now;
            After(Spec.Fence.TotalMilliseconds, () =>
            {
                // A sidecar can only leave: its kubelet must end the worker.
                if (!node.Partitioned || (Spec.IsSidecar(pod.Request.Role) && node.KubeletDead) || !pod.Alive || pod.Phase != AgentPhase.Running || pod.CutSince > since) return;
                pod.Phase = AgentPhase.Exited;
                pod.Exit = new WorkerExit { Code = 137, Signal = 9, Ended = Now, StderrTail = "fenced" };
            });
        }
    }

    public void Heal(SimNode node)
    {
        if (!node.Partitioned) return;
        Note($"{node.Name} is back");
        node.Partitioned = false;
        Renew(node);
        foreach (var pod in Everything.Where(p => p.Node == node).ToList())
        {
            Connect(pod);
            if (pod.Removed || pod.Deleting) End(pod, PodPhase.Failed, 137);
            if (pod.Deleting) Remove(pod);
            else if (!pod.Removed) Post(new PodSeen(pod.Observe()));
        }
    }

    /// <summary>Containers that hung come back after all.</summary>
    public void BootAgain(SimPod pod) => Boot(pod);

    /// <summary>The worker reports that it has done this step.</summary>
    public void Progress(SimPod pod, long step, string phase = "", double? own = null, long checkpoint = -1) =>
        Post(new ProgressSeen(pod.Name, pod.Uid, new ProgressObservation(pod.Attempt, step, checkpoint, phase, Unhealthy: "") { OwnSeconds = own }));

    /// <summary>The worker answers the gang's wish that it saves.</summary>
    public void Saved(SimPod pod) => Post(new QuiesceAnswered(pod.Name, pod.Uid, pod.Attempt, Saved: true));

    /// <summary>Something outside reports this.</summary>
    public void Report(Failure failure) => Post(new FailureReported(failure));

    public void Blip(SimPod pod)
    {
        if (!pod.Alive || !pod.Connected) return;
        Disconnect(pod);
        After(Random.Next(10, 1500), () => Connect(pod));
    }

    /// <summary>A container that is not ours ends with a code for which its rule restarts all: an agent and its worker are victims.</summary>
    public void RestartByOthers(SimPod pod, int code, bool seen)
    {
        if (!pod.Alive || pod.Removed || pod.Deleting || pod.Node is not { Healthy: true }) return;
        Note($"all containers of {pod.Name} are restarted by another one's exit {code}, {(seen ? "seen" : "not seen")}");
        pod.Faulty = true;
        pod.Alive = false;
        if (seen) Post(new PodSeen(pod.Observe() with { AllContainersRestarting = true, Containers = [Helper(code)] }));
        pod.Restarts++;
        Disconnect(pod);
        After(Random.Next(20, 400), () => Boot(pod));

        static ContainerObservation Helper(int code) => new() { Name = "helper", State = ContainerState.Terminated, Reason = "Error", ExitCode = code };
    }

    /// <summary>Nothing of the API server can be reached, by nobody; agents and supervisor still talk.</summary>
    public void ApiOutage(double ms)
    {
        if (Now < _apiBackAt) return;
        Note("the API server is away");
        _apiBackAt = Now + TimeSpan.FromMilliseconds(ms);
        After(ms, () =>
        {
            Note("the API server is back");
            foreach (var node in Nodes) Renew(node);
            foreach (var gone in _unseenGone) Post(gone);
            _unseenGone.Clear();
            foreach (var pod in Pods.Values) Post(new PodSeen(pod.Observe()));
            Post(new LeaseViewSeen(Now));
        });
    }

    public void Stop() => Post(new StopRequested("test"));

    public void DeleteByOthers(SimPod pod, bool force = false)
    {
        Note($"someone deletes {pod.Name}");
        pod.Faulty = true;
        Delete(pod.Name, pod.Uid, force);
    }

    public void CrashSupervisor(double downMs)
    {
        if (!_supervisorUp) return;
        Note("supervisor dies");
        _supervisorUp = false;
        _inbox.Clear();
        _saves.Clear();
        foreach (var pod in Everything) pod.Connected = false;
        After(downMs, () =>
        {
            Note("supervisor is back");
            _supervisorUp = true;
            _inbox.Clear();
            var term = ++Term;
            State = Record is { } record
                ? GangMachine.Resume(Spec, term, restartsInPlace: true, record, Now)
                : GangMachine.Start(Spec, term, restartsInPlace: true, Now);
            Synced();
            foreach (var pod in Everything.Where(p => p.Alive).ToList()) After(Random.Next(5, 300), () => Connect(pod));
        });
    }

    /// <summary>A new supervisor lists; it waits for that while the API server is away.</summary>
    private void Synced()
    {
        var term = Term;
        if (Now < _apiBackAt)
        {
            _queue.Enqueue(
                () =>
                {
                    if (term == Term) Synced();
                },
                (_apiBackAt + TimeSpan.FromMilliseconds(1), ++_order));
            return;
        }

        foreach (var node in Nodes) Post(new NodeSeen(node.Seen(Now)));
        foreach (var pod in Pods.Values) Post(new PodSeen(pod.Observe()));
        Post(new LeaseViewSeen(Now));
        Post(new CacheSynced());
    }

    /// <summary>An effect at the API server; it is tried again until that is back.</summary>
    private void AtApi(double ms, Action what) => After(ms, () =>
    {
        if (Now >= _apiBackAt) what();
        else AtApi((_apiBackAt - Now).TotalMilliseconds + ms, what);
    });

    private void Look()
    {
        Post(new LeaseViewSeen(Now));
        After(1000, Look);
    }

    private void Pump()
    {
        while (_supervisorUp && _inbox.Count > 0)
        {
            var batch = _inbox.ToList();
            _inbox.Clear();
            var result = GangMachine.Step(State, batch, Now);
            State = result.State;
            _wake = result.NextWake;
            foreach (var effect in result.Effects) Do(effect);
        }
    }

    private void Do(GangEffect effect)
    {
        var term = Term;
        switch (effect)
        {
            case Publish p:
                Events.Add(p.Event);
                if (p.Event is FailureDetected { Failure: { Kind: FailureKind.HealthCheckFailed } unfit }) Note($"{unfit}");
                if (p.Event is FailureDetected { Failure: { Kind: FailureKind.NodeLost } lost })
                {
                    Must(Nodes.Single(n => n.Name == lost.Node).EverFaulty, $"{lost.Node} is healthy and called lost: {lost.Evidence}");
                }

                break;
            case SaveRecord save:
                _saves.Enqueue(save);
                if (_saves.Count == 1) Write(term);
                break;
            case CreatePod create:
                Must(!Spec.IsAdopted, "a Pod is created that its controller is to create");
                Must(IsRecorded(create.Request), $"{create.Request.Name} created before its record");
                Ordered.Add((Now, create.Request.Name));
                AtApi(Random.Next(1, 50), () =>
                {
                    if (RefusesPods is { } why) Post(new EffectFailed(create, why, Fatal: false));
                    else Create(create.Request);
                });
                break;
            case DeletePod delete:
                Must(!State.IsOver ? Record!.Attempt >= State.Attempt : true, $"{delete.Name} deleted before its record");
                if (!State.IsOver && Pods.TryGetValue(delete.Name, out var victim) && victim.Uid == delete.Uid)
                {
                    Must(victim.Faulty || victim.Node is null or { EverTroubled: true } || victim is { Request.Worker: null, Rank: < 0 } || State.Plan!.Fallback > 0 || State.Plan!.Strategy == RecoveryStrategy.RecreateGang, $"{delete.Name} is healthy and deleted");
                }

                AtApi(Random.Next(1, 50), () => Delete(delete.Name, delete.Uid, delete.Force));
                break;
            case RestartWorker r:
                Must(Record!.Attempt >= r.Attempt, "restart before its record");
                ToAgent(r.Pod, r.PodUid, term, pod => Restart(pod, r));
                break;
            case ReleaseGang release:
                Must(!Spec.IsAdopted || release.Targets.All(t => Record!.Adopted.ContainsValue($"{t.Pod}/{t.PodUid}")), "a Pod is released that the record does not know");
                foreach (var target in release.Targets) ToAgent(target.Pod, target.PodUid, term, pod => Release(pod, release.Attempt, target.Rank));
                break;
            case TellRoster tell:
                // One of them may have been deleted by others by now, or while this is under way.
                Must(tell.Roster.Workers.Select(w => w.Pod).SequenceEqual(State.Workers), "a roster names Pods that are not the workers'");
                foreach (var target in tell.Targets)
                {
                    ToAgent(target.Pod, target.PodUid, term, pod =>
                    {
                        Must(pod.Rank == target.Rank, $"{pod.Name} is told of another's rank");
                        pod.RosterAttempt = Math.Max(pod.RosterAttempt, tell.Roster.Attempt);
                        Say(pod);
                    });
                }

                break;
            case QuiesceWorker quiesce:
                Quiesced.Add((Now, quiesce.Pod));
                ToAgent(quiesce.Pod, quiesce.PodUid, term, pod =>
                    After(SaveMilliseconds, () => Post(new QuiesceAnswered(pod.Name, pod.Uid, quiesce.Attempt, Saved: true))));
                break;
            case RunCommand run:
                // Who never says what came of it is replaced, and rightly: four losses in a row would do that to a healthy one.
                Commands.Add((Now, run));
                ToAgent(run.Pod, run.PodUid, term, pod =>
                {
                    if (!pod.Ran.TryGetValue(run.Id, out var result)) pod.Ran[run.Id] = result = Command(pod, run);
                    After(CommandMilliseconds, () =>
                    {
                        if (pod.Connected) Post(new CommandRan(pod.Name, pod.Uid, run.Id, result.Code, TimedOut: false, result.Output));
                    });
                }, mayBeLost: false);
                break;
            case MarkNode mark:
                Must(Spec.QuarantineTaints, "a Node is touched, and nobody has asked for that");
                Marks.Add((Now, mark));
                if (RefusesMarks) Post(new EffectFailed(mark, "forbidden", Fatal: true));
                else AtApi(Random.Next(1, 50), () => Change(Nodes.Single(n => n.Name == mark.Node), n => n.Taints = mark.Quarantined ? n.Taints.Add(NodeMarks.Key(Spec) + ":NoSchedule") : n.Taints.Remove(NodeMarks.Key(Spec) + ":NoSchedule")));
                break;
            case HaltAgent halt:
                ToAgent(halt.Pod, halt.PodUid, term, pod => End(pod, halt.ExitCode == 0 ? PodPhase.Succeeded : PodPhase.Failed, halt.ExitCode));
                break;
            default:
                break;
        }
    }

    private bool IsRecorded(PodRequest pod) => pod.Worker is { } worker
        ? Record?.Incarnations.GetValueOrDefault(worker.ToString(), 1) >= pod.Incarnation
        : Record?.SpareSerials.GetValueOrDefault(pod.Role) >= pod.Incarnation;

    /// <summary>One write at a time, in order, as the loop does it.</summary>
    private void Write(long term) => AtApi(Random.Next(1, 20), () =>
    {
        if (!_supervisorUp || term != Term) return;
        var save = _saves.Dequeue();
        Writes++;
        Record = save.Record;
        Post(new RecordSaved(save.Sequence));
        if (_saves.Count > 0) Write(term);
    });

    private void ToAgent(string name, string uid, long term, Action<SimPod> action, bool mayBeLost = true)
    {
        if (mayBeLost && Random.NextDouble() < LossRate) return;
        After(Random.Next(1, 15), () =>
        {
            var pod = Everything.FirstOrDefault(p => p.Uid == uid);
            if (pod is null || !pod.Connected || !pod.Alive || term < pod.Term) return;
            pod.Term = term;
            action(pod);
        });
    }

    private void Restart(SimPod pod, RestartWorker command)
    {
        if (command.Attempt < pod.Attempt || (pod.Phase == AgentPhase.Waiting && pod.Attempt == command.Attempt)) return;
        if (pod.Phase == AgentPhase.Running && pod.Attempt == command.Attempt) return;
        Restarts++;
        if (!command.InPlace || pod.Phase == AgentPhase.Waiting)
        {
            pod.Phase = AgentPhase.Waiting;
            pod.Attempt = command.Attempt;
            Say(pod);
            return;
        }

        pod.Phase = AgentPhase.Leaving;
        Say(pod);
        After(Random.Next(1, 20), () => Disconnect(pod));
        After(Random.Next(20, 400), () => Boot(pod));
    }

    private void Release(SimPod pod, int attempt, int rank)
    {
        if (pod.Phase != AgentPhase.Waiting || attempt < pod.Attempt) return;
        foreach (var other in Everything.Where(p => p.Alive && p.Phase == AgentPhase.Running))
        {
            var cell = Spec.Roles[0].CellSize;
            Must(other.Attempt == attempt || (cell > 0 && other.Rank / cell != rank / cell), $"{other.Name} runs attempt {other.Attempt} beside {pod.Name} in {attempt}");
            Must(other.Rank != rank, $"rank {rank} twice: {other.Name} and {pod.Name}");
        }

        pod.Phase = AgentPhase.Running;
        pod.Attempt = attempt;
        pod.RosterAttempt = attempt;
        pod.Rank = rank;
        Say(pod);
    }

    /// <summary>What another one than the supervisor creates.</summary>
    public void CreateByOthers(PodRequest request) => Create(request, byOthers: true);

    private void Create(PodRequest request, bool byOthers = false)
    {
        if (Pods.ContainsKey(request.Name)) return;
        if (!byOthers) Writes++;
        var used = Pods.Values.Where(p => p.Node is not null && !p.Ended).Select(p => p.Node).ToHashSet();
        var pod = new SimPod(request, $"uid-{++_order}");
        Pods[pod.Name] = pod;
        Post(new PodSeen(pod.Observe()));
        Place(pod);
    }

    private void Place(SimPod pod)
    {
        if (pod.Removed || pod.Node is not null) return;
        var used = Everything.Where(p => p.Node is not null && !p.Ended && p != pod && !p.Removed).Select(p => p.Node).ToHashSet();
        var free = Nodes.Where(n => n is { Healthy: true, Cordoned: false } && !pod.Request.AvoidNodes.Contains(n.Name) && !used.Contains(n)
            && pod.Request.NodeSelector.All(l => n.Seen(Now).Labels.GetValueOrDefault(l.Key) == l.Value)).ToList();
        if (free.Count == 0)
        {
            if (!pod.Unschedulable)
            {
                pod.Unschedulable = true;
                Post(new PodSeen(pod.Observe()));
            }

            After(500, () => Place(pod));
            return;
        }

        pod.Node = free[Random.Next(free.Count)];
        Post(new PodSeen(pod.Observe()));
        After(Random.Next(50, 500), () => Boot(pod));
    }

    private void Boot(SimPod pod)
    {
        if (pod.Removed || pod.Ended || pod.Node is not { Dead: false } || (pod.NeverBoots && pod.Instance > 0)) return;
        pod.Alive = true;
        pod.Connected = false;
        pod.Instance++;
        pod.Phase = AgentPhase.Waiting;
        pod.Attempt = 0;
        pod.Exit = null;
        pod.Ran.Clear();
        pod.PodPhase = PodPhase.Running;
        Post(new PodSeen(pod.Observe()));
        Connect(pod);
    }

    private void Delete(string name, string uid, bool force)
    {
        if (!Pods.TryGetValue(name, out var pod) || pod.Uid != uid) return;
        Writes++;
        if (force || pod.Node is null || pod.Ended)
        {
            Remove(pod);
            return;
        }

        pod.Deleting = true;
        Controller?.Look();
        Post(new PodSeen(pod.Observe()));
        if (pod.Node.Healthy)
        {
            After(Random.Next(1, 2000), () =>
            {
                if (pod.Removed || pod.Node is { Healthy: false }) return;
                End(pod, PodPhase.Failed, 137);
                Remove(pod);
            });
        }
    }

    private void Remove(SimPod pod)
    {
        if (pod.Removed || !Pods.TryGetValue(pod.Name, out var there) || there != pod) return;
        Pods.Remove(pod.Name);
        pod.Removed = true;
        if (pod.Alive) Ghosts.Add(pod);
        Controller?.Look();
        if (Now < _apiBackAt) _unseenGone.Add(new PodGone(pod.Name, pod.Uid));
        else Post(new PodGone(pod.Name, pod.Uid));
        // A kubelet that is there ends what was force-deleted.
        if (pod.Node is { Healthy: true }) After(Random.Next(1, 500), () => End(pod, PodPhase.Failed, 137));
    }

    private void End(SimPod pod, PodPhase phase, int code)
    {
        if (pod.Ended) return;
        pod.Alive = false;
        pod.PodPhase = phase;
        pod.ContainerExit = code;
        Controller?.Look();
        Disconnect(pod);
        if (!pod.Removed && pod.Node is { Healthy: true }) Post(new PodSeen(pod.Observe()));
    }

    public void Connect(SimPod pod)
    {
        if (!pod.Alive || pod.Node is not { Healthy: true } || !_supervisorUp || pod.Connected) return;
        pod.Connected = true;
        pod.CutSince = Now;
        Say(pod);
    }

    public void Disconnect(SimPod pod)
    {
        if (!pod.Connected) return;
        pod.Connected = false;
        var instance = $"{pod.Uid}/{pod.Instance}";
        var sign = Now;
        // Silence is noticed late, a closed stream at once.
        After(Random.Next(0, 2) == 0 ? 1 : 3000, () =>
        {
            // Of a stream that a later one has replaced the gateway says nothing.
            if (!pod.Connected && pod.CutSince <= sign) Post(new AgentGone(pod.Name, pod.Uid, instance, sign));
        });
    }

    private void Say(SimPod pod)
    {
        if (!pod.Connected) return;
        Post(new AgentSeen(pod.Name, pod.Uid, pod.Request.Role, "10.0.0.1", pod.Node!.Name, new AgentObservation
        {
            Instance = $"{pod.Uid}/{pod.Instance}",
            Phase = pod.Phase,
            Attempt = pod.Attempt,
            RosterAttempt = pod.RosterAttempt,
            Exit = pod.Exit,
        }));
    }

    private void Renew(SimNode node)
    {
        if (!node.Healthy || node.RenewedAt == Now) return;
        if (Now < _apiBackAt) return;
        node.RenewedAt = Now;
        Post(new NodeSeen(node.Seen(Now)));
        After((node.Lease / 4).TotalMilliseconds, () => Renew(node));
    }

    private void Post(GangInput input)
    {
        if (!_supervisorUp) return;
        if (Now < _apiBackAt && input is PodSeen or PodGone or NodeSeen or NodeGone or LeaseViewSeen) return;
        _inbox.Add(input);
    }

    private void Note(string text) => Log.Add($"{Now:ss.fff} {text}");

    private void Must(bool holds, string never)
    {
        if (!holds) throw new InvalidOperationException($"never: {never}\n{string.Join('\n', Log)}");
    }
}

internal sealed class SimNode(string name)
{
    public string Name { get; } = name;
    public string Rack { get; set; } = "";
    public bool Cordoned { get; set; }
    public bool Troubled => Cordoned || Reported is not null || Conditions.Length > 0;

    /// <summary>A plan that was made for it is carried out, though it be well again.</summary>
    public bool EverTroubled { get; set; }
    public ImmutableArray<NodeCondition> Conditions { get; set; } = [];
    public string? Reported { get; set; }
    public bool EverFaulty { get; private set; }
    public bool Dead { get; set => EverFaulty |= field = value; }
    public bool Partitioned { get; set => EverFaulty |= field = value; }
    public DateTimeOffset RenewedAt { get; set; } = DateTimeOffset.MinValue;
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(4);
    public ImmutableArray<string> Taints { get; set; } = [];
    public bool KubeletDead { get; set; }
    public bool Healthy => !Dead && !Partitioned;

    public NodeObservation Seen(DateTimeOffset now) =>
        new() { Name = Name, Labels = Rack.Length == 0 ? ImmutableDictionary<string, string>.Empty : ImmutableDictionary<string, string>.Empty.Add("rack", Rack), Unschedulable = Cordoned, Conditions = Conditions, Reported = Reported, Taints = Taints, Ready = true, RestartsInPlace = true, LeaseSeen = now, LeaseDuration = Lease };
}

internal sealed class SimPod(PodRequest request, string uid)
{
    public PodRequest Request { get; } = request;
    public string Name => Request.Name;
    public string Uid { get; } = uid;
    public SimNode? Node { get; set; }
    public bool Alive { get; set; }
    public bool Connected { get; set; }
    public DateTimeOffset CutSince { get; set; }
    public bool Faulty { get; set; }

    /// <summary>Its containers do not come back from a restart.</summary>
    public bool NeverBoots { get; set; }
    public string? Reported { get; set; }
    public bool Removed { get; set; }
    public bool Unschedulable { get; set; }
    public bool Deleting { get; set; }
    public bool Ended => PodPhase is PodPhase.Failed or PodPhase.Succeeded;
    public PodPhase PodPhase { get; set; } = PodPhase.Pending;
    public int ContainerExit { get; set; }
    public int Instance { get; set; }
    public int Restarts { get; set; }
    public AgentPhase Phase { get; set; } = AgentPhase.Waiting;
    public int Attempt { get; set; }
    public int RosterAttempt { get; set; }
    public int Rank { get; set; } = -1;
    public long Term { get; set; }
    public WorkerExit? Exit { get; set; }

    /// <summary>What came of commands, by id: an agent remembers as long as it lives.</summary>
    public Dictionary<string, (int Code, string Output)> Ran { get; } = [];

    public PodObservation Observe() => new()
    {
        Name = Name,
        Uid = Uid,
        Role = Request.Role,
        Worker = Request.Worker,
        Incarnation = Request.Incarnation,
        Node = Node?.Name,
        Phase = PodPhase,
        Deleting = Deleting,
        Reported = Reported,
        UnschedulableReason = Unschedulable && Node is null ? "Unschedulable" : null,
        UnschedulableMessage = Unschedulable && Node is null ? "0/8 nodes are available" : null,
        Containers = Node is null ? [] :
        [
            new ContainerObservation
            {
                Name = "worker",
                State = Ended ? ContainerState.Terminated : PodPhase == PodPhase.Running ? ContainerState.Running : ContainerState.Waiting,
                ExitCode = ContainerExit,
                RestartCount = Restarts,
            },
        ],
    };
}
