using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Keeps the Pods as the state wants them: creates what is missing, ends what was replaced, refills spares.</summary>
internal static class PodKeeper
{
    /// <summary>After a failure; and before a halt is said again.</summary>
    public static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    /// <summary>What fails again and again may be a quota that is full for a thousand Pods, which is not to be asked for each of them every few seconds.</summary>
    public static TimeSpan RetryAfter(int failures) => failures < 4 ? Retry : failures < 7 ? Retry * (1 << (failures - 3)) : Doubt;

    /// <summary>Without one: the call itself tries again and reports, so this is for what we cannot imagine.</summary>
    public static readonly TimeSpan Doubt = TimeSpan.FromMinutes(1);

    public static void Run(GangDraft draft)
    {
        if (draft.State.Stage == Stage.Running) KeepSpares(draft);
        foreach (var pod in draft.Pods.ToList())
        {
            if (draft.IsOver) Finish(draft, pod);
            else if (pod.Doomed) Remove(draft, pod);
            else Create(draft, pod);
        }

        if (draft.State is { Stage: Stage.Ending } state && state.SavedSequence >= state.SaveSequence && draft.Pods.All(p => p.Gone || p.HasEnded || (!p.Connected && !p.DeleteFailed && (p.DeleteSent is not null || p.HaltedInstance is not null))))
        {
            draft.Enter(Stage.Ended);
            if (state.Phase == GangPhase.Stopped) draft.Emit(new DeleteGang());
        }
    }

    /// <summary>Names for the spares that are missing. They may be created once the record with their serials is saved.</summary>
    public static bool RefillSpares(GangDraft draft, long sequence)
    {
        var added = false;
        foreach (var role in draft.Spec.Roles)
        {
            foreach (var (pool, wanted) in Spares.Wanted(draft.State, role))
            {
                if (wanted == 0) continue;
                var have = SparesOf(draft, role, pool).Count();
                for (; have < wanted; have++)
                {
                    var serial = draft.State.SpareSerials.GetValueOrDefault(role.Name) + 1;
                    draft.Set(s => s with { SpareSerials = s.SpareSerials.SetItem(role.Name, serial) });
                    draft.Put(draft.NewPod(PodNames.Spare(draft.Spec, role.Name, serial), role.Name, null, serial) with { NeedsSaved = sequence, Pool = pool });
                    added = true;
                }
            }
        }

        return added;
    }

    private static IEnumerable<PodState> SparesOf(GangDraft draft, RoleSpec role, string pool) =>
        draft.Pods.Where(p => p.Worker is null && p.Role == role.Name && p.Pool == pool && !p.Doomed && !p.Gone && !p.HasEnded);

    private static void KeepSpares(GangDraft draft)
    {
        foreach (var spare in draft.Pods.Where(p => p.Worker is null && !p.Doomed && IsBroken(draft, p)).ToList())
        {
            draft.Notice($"spare {spare.Name} is lost and will be replaced");
            draft.Put(spare with { Doomed = true });
        }

        if (RefillSpares(draft, draft.State.SaveSequence + 1)) draft.Save(planInProgress: false);
    }

    /// <summary>A replacement that was made ready for a move that nobody wants any more.</summary>
    public static void DropSurplus(GangDraft draft)
    {
        foreach (var role in draft.Spec.Roles)
        {
            foreach (var (pool, wanted) in Spares.Wanted(draft.State, role))
            {
                var have = SparesOf(draft, role, pool).ToList();
                foreach (var spare in have.OrderBy(p => p.Connected).ThenByDescending(p => p.Incarnation).Take(Math.Max(0, have.Count - wanted)))
                {
                    draft.Notice($"spare {spare.Name} is not needed any more");
                    draft.Put(spare with { Doomed = true });
                }
            }
        }
    }

    private static bool IsBroken(GangDraft draft, PodState spare)
    {
        if (spare.Gone || spare.HasEnded || spare.Pod?.Deleting == true || NodeDetector.Find(draft, spare) is not null || LossDetector.Find(draft, spare) is not null) return true;
        return draft.NodeOf(spare) is { } node && Quarantine.Holds(draft.State, node.Name, draft.Now);
    }

    private static void Create(GangDraft draft, PodState pod)
    {
        if (draft.Spec.IsAdopted || pod.Pod is not null || pod.Gone || pod.Connected || draft.State.SavedSequence < pod.NeedsSaved) return;
        if (pod.NeedsSaved == 0 && !InPlan(draft, pod)) return;
        var from = Latest.Later(pod.TryAgainAt, pod.DelayedUntil);
        if (draft.Now < from)
        {
            draft.WakeAt(from);
            return;
        }

        draft.Put(pod with { TryAgainAt = draft.Now + Doubt });
        draft.Emit(new CreatePod(new PodRequest
        {
            Name = pod.Name,
            Role = pod.Role,
            Worker = pod.Worker,
            Incarnation = pod.Incarnation,
            AvoidNodes = Avoided(draft),
            NodeSelector = Spares.SelectorOf(draft.Spec.Role(pod.Role), pod.Pool),
        }));
    }

    // The plan's own, too: with no quarantine a node is avoided in the recovery at hand.
    private static ImmutableArray<string> Avoided(GangDraft draft) =>
    [
        .. Quarantine.Nodes(draft.State, draft.Now)
            .Concat(draft.State.Stage == Stage.Barrier ? draft.State.Plan!.AvoidNodes.Where(n => !draft.State.Quarantined.ContainsKey(n)) : [])
            .Distinct().Order(StringComparer.Ordinal),
    ];

    private static bool InPlan(GangDraft draft, PodState pod) =>
        draft.State.Stage == Stage.Barrier && draft.State.Plan!.Steps.Any(s => s.Pod == pod.Name && s.Step == RecoveryStep.Recreate);

    private static void Remove(GangDraft draft, PodState pod)
    {
        if (draft.State.Stage == Stage.Saving) return;
        // It saves together with the others.
        if (pod is { Connected: true, Agent.Phase: AgentPhase.Running } && Quiescence.IsUnderWay(draft.State)) return;
        if (pod.Connected) pod = Halt(draft, pod, 1, TimeSpan.Zero, "this Pod was replaced");

        if (pod.Gone || pod.Pod is null)
        {
            if (Quiet.Is(draft.State, pod, draft.Now) && !pod.Connected) draft.Forget(pod.Name);
            return;
        }

        // The kubelet of a lost node answers no graceful deletion: one forced deletion, when the fence has passed, saves a request.
        var lost = !pod.Connected && draft.NodeOf(pod) is { } node && NodeHealth.IsLost(draft.State, node);
        if (lost && !Quiet.Is(draft.State, pod, draft.Now))
        {
            if (Quiet.FencedAt(draft.State, pod) is { } fenced) draft.WakeAt(fenced);
            else AskForProof(draft, pod);
            return;
        }

        if (pod.DeleteSent is not null && draft.Now < pod.TryAgainAt && (pod.DeleteForced || !lost))
        {
            draft.WakeAt(pod.TryAgainAt);
            return;
        }

        draft.Put(pod with { DeleteSent = draft.Now, DeleteForced = lost, DeleteFailed = false, TryAgainAt = draft.Now + Doubt });
        draft.Emit(new DeletePod(pod.Name, pod.Uid!, lost));
    }

    /// <summary>Nobody but a person or the cloud can say that this worker has ended: they are told once what is waited for.</summary>
    private static void AskForProof(GangDraft draft, PodState pod)
    {
        if (pod.ProofAsked) return;
        draft.Put(pod with { ProofAsked = true });
        draft.Notice($"{pod.Name} is replaced, but its worker may still run: {pod.Node} is lost, and beside a sidecar only its kubelet can end it. If the machine is off, "
            + $"taint it (kubectl taint node {pod.Node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute) or delete the Node; the gang waits for that at the barrier");
    }

    /// <summary>Said again until the agent is gone: a command may be lost with its stream.</summary>
    private static PodState Halt(GangDraft draft, PodState pod, int exitCode, TimeSpan grace, string reason)
    {
        var again = pod.HaltedAt + Retry;
        if (pod.HaltedInstance == pod.Agent?.Instance && draft.Now < again)
        {
            draft.WakeAt(again);
            return pod;
        }

        pod = pod with { HaltedInstance = pod.Agent?.Instance, HaltedAt = draft.Now };
        draft.Put(pod);
        draft.WakeAt(draft.Now + Retry);
        draft.Emit(new HaltAgent(pod.Name, pod.Uid!, exitCode, grace, reason));
        return pod;
    }

    private static void Finish(GangDraft draft, PodState pod)
    {
        if (draft.State.SavedSequence < draft.State.SaveSequence || pod.Gone || pod.HasEnded) return;
        // A sidecar cannot end its Pod: whatever it exits with, the kubelet starts it again.
        if (pod is { Connected: true, Pod: not null } && draft.Spec.IsSidecar(pod.Role))
        {
            if (pod.DeleteSent is not null && !pod.DeleteFailed) return;
            if (pod.DeleteFailed && draft.Now < pod.TryAgainAt)
            {
                draft.WakeAt(pod.TryAgainAt);
                return;
            }

            Delete(draft, pod);
        }
        else if (pod.Connected)
        {
            Halt(draft, pod, draft.State.Phase == GangPhase.Succeeded ? 0 : draft.Spec.IsAdopted ? Adoption.GangOverExitCode : 1, draft.Spec.WorkerGrace, $"the gang is over: {draft.State.Phase}");
        }
        else if (pod.DeleteFailed && draft.Now < pod.TryAgainAt)
        {
            draft.WakeAt(pod.TryAgainAt);
        }
        else if (pod.Pod is not null && (pod.DeleteSent is null || pod.DeleteFailed) && pod.HaltedInstance is null && MustDelete(draft, pod))
        {
            Delete(draft, pod);
        }
        else if (pod.Pod is null || !MustDelete(draft, pod))
        {
            draft.Put(pod with { DeleteSent = draft.Now });
        }
    }

    private static void Delete(GangDraft draft, PodState pod)
    {
        draft.Put(pod with { DeleteSent = draft.Now, DeleteFailed = false });
        draft.Emit(new DeletePod(pod.Name, pod.Uid!, Force: false));
    }

    /// <summary>
    /// What a stopped gang owns goes with its record. An adopted one owns no Pod, and its controller decides about them: only a worker that cannot
    /// be told to end is ended with its Pod.
    /// </summary>
    private static bool MustDelete(GangDraft draft, PodState pod) =>
        draft.Spec.IsAdopted ? pod.MayRun : draft.State.Phase != GangPhase.Stopped;
}
