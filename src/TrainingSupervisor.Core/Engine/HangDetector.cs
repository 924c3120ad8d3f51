using System.Collections.Immutable;
using TrainingSupervisor.Engine.Learning;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>A gang in which nobody does a step any more.</summary>
internal static class HangDetector
{
    private const int MostAsked = 8;

    /// <summary>Called so much later than we asked for, it was us who stood still: what the workers did meanwhile is yet to be read.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromSeconds(2);

    public static void Run(GangDraft draft)
    {
        var clock = HangClock.Of(draft);
        if (draft.State.Progress.Suspicion is { } old && (old.From != clock?.From || old.Attempt != draft.State.Attempt)) Drop(draft, old);
        if (clock is null || draft.State.HasUrgentFailures || draft.State.Progress.ReportedFor == clock.From) return;
        var (look, due) = Moments(draft, clock, clock.From);
        var looked = draft.State.Progress.LookedAt;
        draft.Set(s => s with { Progress = s.Progress with { LookedAt = draft.Now } });
        if (draft.Now < look)
        {
            draft.WakeAt(look);
            return;
        }

        if (looked > DateTimeOffset.MinValue && looked < look && draft.Now > look + Late)
        {
            draft.Set(s => s with { Progress = s.Progress.Spoil() with { Resumed = draft.Now } });
            draft.WakeAt(Moments(draft, clock, draft.Now).Look);
            return;
        }

        var running = draft.State.Workers.Select(draft.Find).OfType<PodState>().Where(p => p.Runs(p.Target)).ToList();
        if (WitnessedSince(draft, running, clock) is not { } since) return;
        (look, due) = Moments(draft, clock, since);
        if (draft.Now < look)
        {
            draft.WakeAt(look);
            return;
        }

        Judge(draft, clock, due, running);
    }

    public static void Answered(GangDraft draft, CommandRan ran)
    {
        draft.Set(s => s.Progress.Suspicion is { } asked ? s with { Progress = s.Progress with { Suspicion = asked.Answer(ran) } } : s);
        foreach (var (name, cell) in draft.State.Progress.Cells)
        {
            if (cell.Suspicion?.Asked.GetValueOrDefault(ran.Pod) != ran.Id) continue;
            draft.Set(s => s with { Progress = s.Progress with { Cells = s.Progress.Cells.SetItem(name, cell with { Suspicion = cell.Suspicion.Answer(ran) }) } });
        }
    }

    /// <summary>When to begin to ask for evidence, so that quick answers are there when the hang is due; and when it is due.</summary>
    private static (DateTimeOffset Look, DateTimeOffset Due) Moments(GangDraft draft, HangClock clock, DateTimeOffset from)
    {
        var due = from + clock.Limit;
        if (draft.Spec.HangDiagnostics.IsEmpty) return (due, due);
        return (due - Ahead(draft.Spec, clock.Limit), due);
    }

    public static TimeSpan Ahead(GangSpec spec, TimeSpan limit) => limit / 3 < spec.HangDiagnosticsTimeout ? limit / 3 : spec.HangDiagnosticsTimeout;

    /// <summary>
    /// Since when someone who would have told of a step has told of none: a worker whose stream is up, and that does report steps. One whose
    /// stream has just come back is yet to tell. Null if there is no such worker.
    /// </summary>
    private static DateTimeOffset? WitnessedSince(GangDraft draft, List<PodState> running, HangClock clock)
    {
        var attempt = draft.State.Attempt;
        var anyone = draft.Spec.HangTimeout is not null || draft.State.Progress.Attempt != attempt;
        DateTimeOffset? since = null;
        foreach (var pod in running)
        {
            if (!anyone && pod.Progress?.Attempt != pod.Target) continue;
            var from = pod.ConnectedSince > clock.From ? pod.ConnectedSince : clock.From;
            if (since is null || from < since) since = from;
        }

        return since;
    }

    private static void Judge(GangDraft draft, HangClock clock, DateTimeOffset due, List<PodState> running)
    {
        var suspects = HangSuspects.Of(running);
        if (suspects.Behind.IsEmpty && clock.Role is { } role && StoodHereBefore(draft, clock, role, ref due) && draft.Now < due)
        {
            draft.WakeAt(due);
            return;
        }

        if (!draft.Spec.HangDiagnostics.IsEmpty)
        {
            if (draft.State.Progress.Suspicion is not { } suspicion)
            {
                suspicion = Ask(draft, clock.From, suspects.Behind.IsEmpty ? running : suspects.Behind);
                draft.Set(s => s with { Progress = s.Progress with { Suspicion = suspicion } });
            }

            var until = suspicion.Complete || suspicion.Deadline < due ? due : suspicion.Deadline;
            if (draft.Now < until)
            {
                draft.WakeAt(until);
                return;
            }
        }

        Report(draft, clock, suspects);
    }

    /// <summary>
    /// The gang was said to hang at this very step before, and nobody was behind then either: a restart has not helped, and an unannounced
    /// checkpoint or evaluation looks like this. It gets the time of something unknown; if it ends, that is learned.
    /// </summary>
    private static bool StoodHereBefore(GangDraft draft, HangClock clock, string role, ref DateTimeOffset due)
    {
        var watch = draft.State.Progress.Roles[role];
        if (draft.State.Progress.Attempt != draft.State.Attempt || watch.Frontier < 0 || watch.HungAt != watch.Frontier || draft.Spec.HangDetection is not { } options) return false;
        var patient = clock.From + options.Unlearned;
        if (patient <= due) return false;
        due = patient;
        if (draft.State.Progress.ExtendedFor == clock.From) return true;
        draft.Set(s => s with { Progress = s.Progress with { ExtendedFor = clock.From } });
        draft.Notice($"no step since step {watch.Frontier}, where the gang stood still before: it gets {Seconds.Text(options.Unlearned)}; "
            + "if it saves or evaluates there, let the workers announce that as a phase");
        return true;
    }

    /// <summary>Asks some of these for evidence.</summary>
    public static HangSuspicion Ask(GangDraft draft, DateTimeOffset from, IReadOnlyList<PodState> of)
    {
        var number = draft.State.Progress.Suspicions + 1;
        // Spread over the ranks: neighbours often do the same.
        var asked = of.Count <= MostAsked ? of : [.. Enumerable.Range(0, MostAsked).Select(i => of[i * of.Count / MostAsked])];
        var ids = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var pod in asked)
        {
            var id = $"hang-{draft.Spec.Name}-{draft.State.Attempt}-{draft.State.Term}-{number}-{pod.Name}";
            ids[pod.Name] = id;
            draft.Emit(new RunCommand(pod.Name, pod.Uid!, id, draft.Spec.HangDiagnostics, draft.Spec.HangDiagnosticsTimeout));
        }

        draft.Set(s => s with { Progress = s.Progress with { Suspicions = number } });
        return new HangSuspicion(draft.State.Attempt, from, draft.Now + draft.Spec.HangDiagnosticsTimeout, ids.ToImmutable(),
            ImmutableSortedDictionary<string, string>.Empty.WithComparers(StringComparer.Ordinal));
    }

    private static void Drop(GangDraft draft, HangSuspicion suspicion)
    {
        draft.Set(s => s with { Progress = s.Progress with { Suspicion = null } });
        if (suspicion.Attempt == draft.State.Attempt) draft.Notice($"suspected of a hang and not: the gang went on within {Seconds.Text(draft.Now - suspicion.From)}");
    }

    private static void Report(GangDraft draft, HangClock clock, HangSuspects suspects)
    {
        var silence = Seconds.Text(draft.Now - clock.From);
        var what = clock.Phase.Length > 0 ? $"phase {clock.Phase} has lasted {silence} without a step" : $"no step anywhere for {silence}";
        var failure = new Failure(FailureKind.Hang, $"{what}, {clock.Why()}; {suspects.Words}", clock.From)
        {
            SeenBy = "progress",
            Diagnostics = draft.State.Progress.Suspicion?.Text(draft.Spec.HangDiagnostics) ?? "",
        };
        draft.Set(s =>
        {
            var progress = s.Progress with { ReportedFor = clock.From, Suspicion = null };
            if (clock.Role is { } role && suspects.Behind.IsEmpty && progress.Attempt == s.Attempt)
            {
                progress = progress with { Roles = progress.Roles.SetItem(role, progress.Roles[role] with { HungAt = progress.Roles[role].Frontier }) };
            }

            return s with { Progress = progress };
        });
        if (suspects.Behind is [var one]) failure = failure with { Worker = one.Worker, Pod = one.Name, Node = one.Node };
        FailureDetector.Add(draft, failure);
    }
}
