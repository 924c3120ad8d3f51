using TrainingSupervisor.Engine.Learning;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Puts what was seen into the state, and decides nothing.</summary>
internal static class InputReducer
{
    public static void Apply(GangDraft draft, GangInput input)
    {
        switch (input)
        {
            case PodSeen seen: Seen(draft, seen.Pod); break;
            case PodGone gone: Gone(draft, gone); break;
            case NodeSeen seen: Put(draft, seen.Node); break;
            case LeaseViewSeen view: draft.Set(s => view.FreshUntil > s.LeaseView ? s with { LeaseView = view.FreshUntil } : s); break;
            case NodeGone gone: NodeIsGone(draft, gone); break;
            case AgentSeen seen: Agent(draft, seen); break;
            case AgentGone gone: AgentIsGone(draft, gone); break;
            case ProgressSeen seen: Progress(draft, seen); break;
            case QuiesceAnswered answer:
                if (draft.Find(answer.Pod) is { } quiesced && quiesced.Uid == answer.PodUid) draft.Put(quiesced with { QuiesceAnswered = true });
                break;
            case CommandRan ran:
                HangDetector.Answered(draft, ran);
                FitnessCheck.Answered(draft, ran);
                break;
            case AgentRefused refused: draft.Notice($"the agent in {refused.Pod} refused a command: {refused.Reason}"); break;
            case CacheSynced: Synced(draft); break;
            case RecordSaved saved: draft.Set(s => s with { SavedSequence = Math.Max(s.SavedSequence, saved.Sequence) }); break;
            case ReleaseSent sent when sent.Attempt == draft.State.Attempt:
                draft.Set(s => s.Timing is { ReleaseSent: null } t ? s with { Timing = t with { ReleaseSent = draft.Now } } : s);
                break;
            case EffectFailed failed: Failed(draft, failed); break;
            case StopRequested stop: draft.Set(s => s with { StopReason = s.StopReason ?? ReportedFailure.Line(stop.Reason) }); break;
            case GrowRequested: Grow(draft); break;
            case FailureReported reported: OutsideReport.See(draft, reported.Failure); break;
            default: break;
        }
    }

    private static void Seen(GangDraft draft, PodObservation pod)
    {
        var known = draft.Find(pod.Name);
        if (known?.Uid is { } uid && uid != pod.Uid)
        {
            // Another object under a name that we have used: whoever made it, it is not the Pod that we know.
            known = known with { Uid = null, Agent = null, Connected = false, RestartCause = null, AloneSince = null };
        }

        if (known is null)
        {
            // Not one that the record or a plan names: an idle spare, or what is left of an older incarnation.
            known = draft.NewPod(pod.Name, pod.Role, null, pod.Incarnation) with { MayRun = pod.Worker is not null };
        }

        draft.Put(known with
        {
            Uid = pod.Uid,
            Pod = pod,
            Node = pod.Node ?? known.Node,
            Address = known.Address.Length > 0 ? known.Address : pod.Address ?? "",
            Gone = false,
            RestartCause = known.RestartCause ?? RestartDetector.CauseIn(pod),
            AloneSince = !ContainerDetector.IsAlone(pod) ? null : known.AloneSince ?? draft.Now,
            Doomed = known.Doomed || (pod.Worker is not null && known is { Worker: null, Idle: false }),
            UnschedulableSince = pod is { Node: null, UnschedulableReason: "Unschedulable" } ? known.UnschedulableSince ?? draft.Now : null,
        });
    }

    private static void Gone(GangDraft draft, PodGone gone)
    {
        if (draft.Find(gone.Name) is { } pod && (pod.Uid is null || pod.Uid == gone.Uid)) draft.Put(pod with { Gone = true });
    }

    private static void NodeIsGone(GangDraft draft, NodeGone gone)
    {
        if (draft.FindNode(gone.Name) is { } node)
        {
            Put(draft, node with { Ready = null, ReadyReason = "NodeStatusUnknown", ReadyMessage = "the Node was deleted", Deleted = true });
        }
    }

    /// <summary>What a Node says is judged once, and not for each of its Pods in each step.</summary>
    private static void Put(GangDraft draft, NodeObservation node)
    {
        var sign = NodeSigns.Of(draft.Spec, node);
        draft.Put(node with { Sign = sign, Besides = sign is null or { Kind: FailureKind.NodeDraining } ? null : NodeSigns.GoingOf(draft.Spec, node) });
    }

    private static void Agent(GangDraft draft, AgentSeen seen)
    {
        var pod = draft.Find(seen.Pod);
        if (pod is null)
        {
            // All that is ours is known by now: this Pod was deleted, and its agent lives on where no kubelet has ended it yet. It is no spare.
            if (draft.Synced && !draft.Spec.IsAdopted) return;
            pod = draft.NewPod(seen.Pod, seen.Role, null, 0);
        }
        else if (pod.Uid is not null && pod.Uid != seen.PodUid)
        {
            return;
        }

        // An end that the agent has told of and left behind before anybody has looked at it is an end all the same.
        if (pod is { Agent.Phase: AgentPhase.Exited, Worker: not null, Doomed: false } && seen.Agent.Phase != AgentPhase.Exited) FailureDetector.Exited(draft, pod);
        var runs = seen.Agent.Phase == AgentPhase.Running;
        var arrives = seen.Agent.Phase == AgentPhase.Waiting && pod.ArrivedAt is null && pod.Target == draft.State.Attempt;
        var next = pod with
        {
            Uid = seen.PodUid,
            Agent = seen.Agent,
            Connected = true,
            ConnectedSince = pod.Connected ? pod.ConnectedSince : draft.Now,
            LastSign = draft.Now,
            Address = seen.Address.Length > 0 ? seen.Address : pod.Address,
            Node = seen.Node.Length > 0 ? seen.Node : pod.Node,
            ArrivedAt = arrives ? draft.Now : pod.ArrivedAt,
            MayRun = pod.MayRun || runs,
            RanAttempt = runs || seen.Agent.Phase == AgentPhase.Exited ? Math.Max(pod.RanAttempt, seen.Agent.Attempt) : pod.RanAttempt,
        };
        draft.Put(next);
        ProgressLearner.Changed(draft, pod, next);
    }

    private static void AgentIsGone(GangDraft draft, AgentGone gone)
    {
        if (draft.Find(gone.Pod) is { } pod && pod.Uid == gone.PodUid && pod.Agent?.Instance == gone.Instance)
        {
            draft.Put(pod with { Connected = false, LastSign = gone.LastSign });
        }
    }

    private static void Progress(GangDraft draft, ProgressSeen seen)
    {
        if (draft.Find(seen.Pod) is not { } pod || pod.Uid != seen.PodUid) return;
        var advanced = pod.Progress is not { } before || before.Attempt != seen.Progress.Attempt || seen.Progress.Step != before.Step;
        // Told of late, by a watch that was away: it lives, so what the watch showed is over and was answered.
        var isOver = pod is { Agent.Phase: AgentPhase.Running, Pod: { AllContainersRestarting: false, Phase: PodPhase.Running } };
        var next = pod with { Progress = seen.Progress, LastSign = draft.Now, RestartCause = isOver ? null : pod.RestartCause };
        draft.Put(next);
        ProgressLearner.Changed(draft, pod, next);
        if (pod.Worker is not null) Furthest(draft, pod.Worker.Value, seen.Progress.Step);
        if (pod.Worker is not null && seen.Progress.Step >= 0) Reached(draft, seen.Progress);
        if (seen.Progress.Checkpoint > (pod.Progress is { } old && old.Attempt == seen.Progress.Attempt ? old.Checkpoint : -1))
        {
            draft.Set(s => s with { CheckpointAt = draft.Now });
        }

        if (!advanced || seen.Progress.Attempt != pod.Target || seen.Progress.Step < 0 || pod.Worker is null) return;
        // Ten thousand may say so at once: it is written down once.
        if (draft.State.LastAdvance != draft.Now || draft.State.Timing is { FirstStep: null, BarrierComplete: not null })
        {
            draft.Set(s => s with
            {
                LastAdvance = draft.Now,
                Timing = s.Timing is { FirstStep: null, BarrierComplete: not null } t ? t with { FirstStep = draft.Now } : s.Timing,
            });
        }
    }

    private static void Furthest(GangDraft draft, WorkerId worker, long step)
    {
        if (step > draft.State.BestStep) draft.Set(s => s with { BestStep = step });
        if (Cells.Of(draft.Spec, worker) is { } cell && step > draft.State.CellSteps.GetValueOrDefault(cell, -1)) draft.Set(s => s with { CellSteps = s.CellSteps.SetItem(cell, step) });
    }

    private static void Reached(GangDraft draft, ProgressObservation progress)
    {
        var before = draft.State.Reach;
        var next = before.See(progress.Attempt, progress.Step, draft.Now);
        if (next == before) return;
        draft.Set(s => s with { Reach = next });
        // Cells that ran on say nothing of where this one began anew.
        if (next.Attempt == before.Attempt || before == Reach.None || draft.State is not { Timing: { BarrierComplete: not null } timing, Plan.Scope: "gang" }) return;
        var (steps, work) = before.RepeatedFrom(progress.Step);
        draft.Set(s => s with { Timing = timing with { StepsRepeated = steps, WorkRepeated = work } });
    }

    private static void Grow(GangDraft draft)
    {
        if (draft.State.Shrunk.IsEmpty || draft.State.GrowRequested) return;
        draft.Set(s => s with { GrowRequested = true });
        // Who asked may be gone when the supervisor is. Within a recovery it is written with that.
        if (draft.State.Stage == Stage.Running) draft.Save(planInProgress: false);
    }

    private static void Synced(GangDraft draft)
    {
        if (draft.Synced) return;
        draft.Set(s => s with { Synced = true });
        foreach (var pod in draft.Pods.Where(p => p.Pod is null && (p.MayRun || p.Doomed || p is { Pool.Length: > 0, NeedsSaved: 0 } || p.Agent is not null)).ToList())
        {
            // Expected from the record and not in the first full list. In a plan it may simply not have been created yet.
            var planned = !draft.Spec.IsAdopted && draft.State.Stage == Stage.Barrier
                && draft.State.Plan!.Steps.Any(s => s.Pod == pod.Name && s.Step == RecoveryStep.Recreate);
            draft.Put(planned && !pod.Doomed ? pod with { MayRun = pod.Agent is not null } : pod with { Gone = true });
        }
    }

    private static void Failed(GangDraft draft, EffectFailed failed)
    {
        switch (failed.Effect)
        {
            case CreatePod create when draft.Find(create.Request.Name) is { } pod:
                // The gang goes on without a spare that cannot be had, and asks for it again.
                var wait = failed.Fatal && pod.Worker is null ? PodKeeper.Doubt : PodKeeper.RetryAfter(pod.CreateFailures);
                draft.Put(pod with { TryAgainAt = draft.Now + wait, CreateError = failed.Error, CreateFailures = pod.CreateFailures + 1 });
                // A full quota may be said of many Pods, and often.
                if (pod.CreateError == failed.Error && !failed.Fatal) return;
                if (failed.Fatal && pod.Worker is not null)
                {
                    FailureDetector.Report(draft, new Failure(FailureKind.InvalidPod, failed.Error, draft.Now)
                    {
                        Worker = pod.Worker, Pod = pod.Name, SeenBy = "API server", Noticed = draft.Now,
                    });
                }

                break;
            case DeletePod delete when draft.Find(delete.Name) is { } pod:
                draft.Put(pod with { DeleteFailed = true, TryAgainAt = draft.Now + PodKeeper.Retry });
                break;
            case MarkNode mark:
                if (failed.Fatal) draft.Set(s => s with { MarksAsked = s.MarksAsked.SetItem(mark.Node, DateTimeOffset.MaxValue) });
                break;
            default:
                break;
        }

        draft.Notice($"{failed.Effect.GetType().Name} failed: {failed.Error}");
    }
}
