using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>
/// Gangs whose Pods something else creates and names. A worker that has no Pod yet holds a place under a name that no Pod can have; the Pod
/// of its index takes it when it is seen. The machine deletes Pods and waits for others: it creates none.
/// </summary>
/// <remarks>
/// The record names the Pod and UID of each worker, and is written before the barrier opens whenever a Pod has taken a place since: only a
/// Pod that the record knows is ever released, so that the next supervisor waits for its end, however many have come in between.
/// </remarks>
internal static class Adoption
{
    /// <summary>How an agent ends when the gang has failed or was stopped, so that the Pods' controller can tell it from a failure to be retried.</summary>
    public const int GangOverExitCode = 89;

    private const int Unnumbered = -1;

    /// <summary>
    /// A Job makes a new Pod when one has failed; other controllers wait until the old one is deleted. A place that has been empty for so long
    /// shows that this is one of those.
    /// </summary>
    private static readonly TimeSpan RemainsPatience = TimeSpan.FromSeconds(30);

    /// <summary>The place of a worker that has no Pod. The character is allowed in no Pod's name.</summary>
    public static string Place(WorkerId worker, int incarnation) => $"{worker}#{incarnation}";

    /// <summary>
    /// Names the Pod as the state does. Some controllers give a new Pod the name of the old one: then the name is the newer one's, and the
    /// older one, which may still run on a lost node, goes on under its UID.
    /// </summary>
    public static GangInput Route(GangDraft draft, GangInput input) => input switch
    {
        PodSeen seen => Seen(draft, seen),
        PodGone gone => gone with { Name = Key(draft, gone.Name, gone.Uid) },
        AgentSeen seen => Agent(draft, seen),
        AgentGone gone => gone with { Pod = Key(draft, gone.Pod, gone.PodUid) },
        ProgressSeen seen => seen with { Pod = Key(draft, seen.Pod, seen.PodUid) },
        QuiesceAnswered answer => answer with { Pod = Key(draft, answer.Pod, answer.PodUid) },
        AgentRefused refused => refused with { Pod = Key(draft, refused.Pod, refused.PodUid) },
        CommandRan ran => ran with { Pod = Key(draft, ran.Pod, ran.PodUid) },
        _ => input,
    };

    /// <summary>Gives free places to Pods that have none, and forgets what was never used.</summary>
    public static void Settle(GangDraft draft)
    {
        TurnAway(draft);
        var current = draft.State.Workers.ToHashSet();
        var idle = draft.Pods.Where(p => p is { Doomed: false, Worker: not null } && !current.Contains(p.Name)).ToList();
        if (idle.Count == 0) return;
        foreach (var pod in idle.Where(p => p.Gone || (p.MayRun && !CanServe(p)) || (p.MayRun && !HasFreePlace(draft, p))))
        {
            // What may run in no place of ours must end before the barrier opens.
            if (pod.MayRun) draft.Put(pod with { Doomed = true });
            else draft.Forget(pod.Name);
        }

        var able = idle.Where(p => CanServe(p) && draft.Find(p.Name) is { Doomed: false }).ToList();
        var numbered = able.Where(p => p.Worker!.Value.Index != Unnumbered).GroupBy(p => p.Worker!.Value)
            .ToDictionary(g => g.Key, g => g.MaxBy(p => (p.Pod!.Created, p.Name))!);
        var others = able.Where(p => p.Worker!.Value.Index == Unnumbered).OrderBy(p => p.Pod!.Created).ThenBy(p => p.Name, StringComparer.Ordinal)
            .GroupBy(p => p.Role).ToDictionary(g => g.Key, g => new Queue<PodState>(g));
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            var place = draft.AtRank(rank);
            if (!IsPlace(place)) continue;
            var worker = place.Worker!.Value;
            if (numbered.TryGetValue(worker, out var pod) || (others.TryGetValue(worker.Role, out var queue) && queue.TryDequeue(out pod))) Take(draft, rank, place, pod);
        }

        ClearRemains(draft, idle);
    }

    /// <summary>
    /// An agent of a later attempt than any of ours serves a gang whose record was deleted. It would refuse our attempts, and its worker may still
    /// run: its Pod must go.
    /// </summary>
    private static void TurnAway(GangDraft draft)
    {
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            if (draft.AtRank(rank) is not { Connected: true, Agent: { } agent } pod || agent.Attempt <= draft.State.Attempt) continue;
            draft.Notice($"Pod {pod.Name} is in attempt {agent.Attempt} of an older gang of this name, and is deleted");
            draft.Put(pod with { Doomed = true, MayRun = true });
            var place = draft.NewPod(Place(draft.State.WorkerAt(rank), pod.Incarnation), pod.Role, draft.State.WorkerAt(rank), pod.Incarnation) with { Target = pod.Target, Planned = pod.Planned };
            draft.Put(place);
            Rename(draft, rank, place.Name);
        }
    }

    /// <summary>Ended Pods of workers that have no other.</summary>
    private static void ClearRemains(GangDraft draft, List<PodState> idle)
    {
        if (draft.State.Stage != Stage.Barrier) return;
        foreach (var pod in idle.Where(p => p is { HasEnded: true, Gone: false, Pod.Deleting: false } && HasFreePlace(draft, p)))
        {
            var due = (pod.LastSign > draft.State.StageSince ? pod.LastSign : draft.State.StageSince) + RemainsPatience;
            if (draft.Now >= due && draft.Find(pod.Name) is { Doomed: false } remains) draft.Put(remains with { Doomed = true });
            draft.WakeAt(due);
        }

        // Its name stays taken for as long as its node is away: the controller can make no other until somebody deletes it by force.
        foreach (var pod in idle.Where(p => p is { Gone: false, Connected: false, Pod.Deleting: true } && HasFreePlace(draft, p)))
        {
            if (draft.NodeOf(pod) is { } node && NodeHealth.IsLost(draft.State, node) && draft.Find(pod.Name) is { Doomed: false } stuck) draft.Put(stuck with { Doomed = true });
        }
    }

    /// <summary>Pods have taken places since the record was written: it must know them before they may run. True if that is to come first.</summary>
    public static bool SaveFirst(GangDraft draft)
    {
        if (!draft.State.PodsUnsaved) return false;
        draft.Save(planInProgress: true);
        draft.Set(s => s with { WaitsSince = s.BarrierSince });
        draft.Enter(Stage.Saving);
        return true;
    }

    /// <summary>For the record: the Pod of each worker that has one, as <c>name/uid</c>.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Known(GangDraft draft)
    {
        if (!draft.Spec.IsAdopted) yield break;
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            if (draft.AtRank(rank) is { Uid: { } uid } pod) yield return new(draft.State.WorkerAt(rank).ToString(), $"{pod.Name}/{uid}");
        }
    }

    /// <summary>After a takeover: the Pod that the record names, or the place of one that is to come.</summary>
    public static PodState Expect(GangDraft draft, GangRecord record, WorkerId worker)
    {
        var incarnation = record.Incarnations.GetValueOrDefault(worker.ToString(), 1);
        if (record.Adopted.GetValueOrDefault(worker.ToString())?.Split('/') is not [var name, var uid]) return draft.NewPod(Place(worker, incarnation), worker.Role, worker, incarnation);
        return draft.NewPod(name, worker.Role, worker, incarnation) with { Uid = uid, MayRun = true };
    }

    private static bool IsPlace(PodState pod) => pod is { Uid: null, Pod: null };

    private static bool CanServe(PodState pod) => pod is { Gone: false, HasEnded: false, Pod.Deleting: false };

    private static bool HasFreePlace(GangDraft draft, PodState pod)
    {
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            if (IsPlace(draft.AtRank(rank)) && (draft.State.WorkerAt(rank) == pod.Worker || (pod.Worker!.Value.Index == Unnumbered && draft.State.WorkerAt(rank).Role == pod.Role))) return true;
        }

        return false;
    }

    private static void Take(GangDraft draft, int rank, PodState place, PodState pod)
    {
        draft.Forget(place.Name);
        var taken = pod with { Worker = place.Worker, Incarnation = place.Incarnation, Target = place.Target, Planned = place.Planned };
        draft.Put(taken);
        Rename(draft, rank, pod.Name);
        draft.Set(s => s with { PodsUnsaved = true });
        draft.Tell(new WorkerChanged(draft.Spec.Name, draft.Now, GangDraft.Status(taken, rank)));
    }

    /// <summary>
    /// The plan in progress names the Pod that a worker will be in. Where that has the name of the one which it replaces, the step must not read
    /// as one that is still to be done.
    /// </summary>
    private static void Rename(GangDraft draft, int rank, string name)
    {
        var before = draft.State.Workers[rank];
        draft.Set(s => s with { Workers = s.Workers.SetItem(rank, name) });
        if (draft.State.Plan is not { } plan || rank >= plan.Steps.Length || plan.Steps[rank].Pod != before) return;
        var step = plan.Steps[rank] with { Pod = name };
        if (step.OldPod == name) step = step with { OldPod = Former(name, "former") };
        draft.Set(s => s with { Plan = plan with { Steps = plan.Steps.SetItem(rank, step) } });
    }

    private static PodSeen Seen(GangDraft draft, PodSeen seen)
    {
        var pod = seen.Pod;
        if (draft.Find(pod.Name) is { Uid: { } uid } other && uid != pod.Uid) MakeWay(draft, other);
        if (draft.Find(Former(pod.Name, pod.Uid)) is { } early)
        {
            // Its agent was heard of before the API told that it is the newer one.
            draft.Forget(early.Name);
            draft.Put(early with { Name = pod.Name });
        }

        var known = draft.Find(pod.Name);
        if (known is null || known.Worker is { Index: Unnumbered }) draft.Put((known ?? draft.NewPod(pod.Name, pod.Role, null, 0)) with { Role = pod.Role, Worker = WorkerOf(draft, pod, isNew: known?.Pod is null) });
        return seen;
    }

    private static WorkerId WorkerOf(GangDraft draft, PodObservation pod, bool isNew)
    {
        if (pod.Worker is not { } worker) return new WorkerId(pod.Role, Unnumbered);
        var count = draft.Spec.Roles.FirstOrDefault(r => r.Name == pod.Role)?.Count ?? 0;
        if (worker.Index >= count && isNew) draft.Notice($"Pod {pod.Name} has index {worker.Index}, and role {pod.Role} has {count} workers: it is left alone");
        return worker;
    }

    /// <summary>There is one object of a name: an older one is gone, whatever its node makes of that.</summary>
    private static void MakeWay(GangDraft draft, PodState old)
    {
        draft.Forget(old.Name);
        // The failure that is its end is told anew under the new name.
        draft.Put(old with { Name = Former(old.Name, old.Uid!), Gone = true, FailedAttempt = 0 });
        var rank = draft.State.Workers.IndexOf(old.Name);
        if (rank >= 0) Rename(draft, rank, Former(old.Name, old.Uid!));
    }

    private static AgentSeen Agent(GangDraft draft, AgentSeen seen)
    {
        var key = Key(draft, seen.Pod, seen.PodUid);
        if (draft.Find(key) is null) draft.Put(draft.NewPod(key, seen.Role, new WorkerId(seen.Role, Unnumbered), 0));
        return seen with { Pod = key };
    }

    private static string Key(GangDraft draft, string name, string uid) => draft.Find(name) is { Uid: { } known } && known != uid ? Former(name, uid) : name;

    private static string Former(string name, string uid) => $"{name}@{uid}";
}
