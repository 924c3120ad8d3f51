using TrainingSupervisor.Engine.Learning;
using static TrainingSupervisor.Engine.Latest;

namespace TrainingSupervisor.Engine;

/// <summary>A cell in which nobody does a step any more while other cells of its role go on (ADR 8). Where all stand still, the gang hangs: <see cref="HangDetector"/>.</summary>
internal static class CellHangDetector
{
    /// <summary>We look so long before a cell may be said to hang. What it did while we ourselves stood still is read by then.</summary>
    public static readonly TimeSpan Breath = TimeSpan.FromSeconds(2);

    /// <summary>Called so much later than that, it was us who stood still.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromSeconds(1);

    /// <summary>Only after three heartbeats, and the fourth's time to look, is an agent known to be cut off.</summary>
    private const int Heartbeats = 5;

    public static void Run(GangDraft draft)
    {
        var book = draft.State.Progress;
        if (book.Cells.IsEmpty || (draft.Spec.HangDetection is null && draft.Spec.HangTimeout is null) || draft.State.HasUrgentFailures) return;
        var late = false;
        // A role of one cell hangs as a whole.
        bool HasOthers(RoleSpec role) => draft.State.CountOf(role) > role.CellSize;
        foreach (var role in draft.Spec.Roles.Where(HasOthers))
        {
            if (book.CellTimes.GetValueOrDefault(role.Name)?.LookBy(draft.Spec) is { } lookBy && draft.Now < lookBy) draft.WakeAt(lookBy);
        }

        foreach (var cell in KnownCell.Of(draft).Where(c => HasOthers(c.Role))) late |= !Look(draft, cell, book.CellsLookedAt);

        draft.Set(s => s with { Progress = late ? s.Progress.SpoilCells(draft.Now) with { CellsLookedAt = draft.Now } : s.Progress with { CellsLookedAt = draft.Now } });
        // The whole limit again for all.
        if (late && draft.State.Failures.IsEmpty) Run(draft);
    }

    /// <summary>False if we are late.</summary>
    private static bool Look(GangDraft draft, KnownCell one, DateTimeOffset looked)
    {
        var cell = one.Cell.In(draft.AtRank(one.First).Target);
        if (cell.Told) return true;
        var book = draft.State.Progress;
        var since = Later(Later(cell.Since, draft.State.StageSince), Later(book.CellsResumed, one.Times.GoingSince));
        var (limit, why) = Limit(draft.Spec, cell, one.Times);
        var ahead = Ahead(draft.Spec, limit);
        if (draft.Now < since + limit - ahead) return Wait(draft, one, since, since + limit - ahead);

        var pods = Enumerable.Range(one.First, one.Size).Select(draft.AtRank).ToList();
        if (pods.Any(p => p.Target != cell.Attempt || !p.Runs(p.Target) || ProgressLearner.AwayPhase(p) is not null)) return Wait(draft, one, DateTimeOffset.MinValue, null);
        since = pods.Aggregate(since, (latest, p) => Later(latest, p.ConnectedSince));
        var look = since + limit - ahead;
        if (draft.Now < look) return Wait(draft, one, since, look);
        if (looked < look && draft.Now > look + Late) return false;
        // Perhaps all stand still. If not, the next step of another wakes us.
        if (draft.Now - one.Times.LastStep > one.Times.Pause(draft.Spec)) return Wait(draft, one, since, null);
        Judge(draft, one with { Cell = cell }, pods, since, limit, why);
        return true;
    }

    private static bool Wait(GangDraft draft, KnownCell one, DateTimeOffset since, DateTimeOffset? until)
    {
        if (until is { } moment) draft.WakeAt(moment);
        if (one.Cell.Suspicion is { } asked && asked.From != since)
        {
            Put(draft, one.Name, one.Cell with { Suspicion = null });
            draft.Notice($"cell {one.Name} was suspected of a hang and is not: it went on, or is not to be judged now");
        }

        return true;
    }

    private static void Judge(GangDraft draft, KnownCell one, List<PodState> pods, DateTimeOffset since, TimeSpan limit, string why)
    {
        var (name, cell) = (one.Name, one.Cell);
        var suspects = HangSuspects.Of(pods, name);
        var due = since + limit;
        if (suspects.Behind.IsEmpty && cell.Steps.Frontier >= 0 && cell.Steps.HungAt == cell.Steps.Frontier && draft.Spec is { HangTimeout: null, HangDetection: { } options } && since + options.Unlearned > due)
        {
            // As with a gang that stands where it stood before: an unannounced pause looks like this.
            due = since + options.Unlearned;
            if (!cell.Extended)
            {
                cell = cell with { Extended = true };
                Put(draft, name, cell);
                draft.Notice($"no step in cell {name} since step {cell.Steps.Frontier}, where it stood still before: it gets {Seconds.Text(options.Unlearned)}; "
                    + "if it saves or evaluates there, let the workers announce that as a phase");
            }
        }

        var ask = due - Ahead(draft.Spec, limit);
        if (draft.Now < ask)
        {
            draft.WakeAt(ask);
            return;
        }

        if (!draft.Spec.HangDiagnostics.IsEmpty)
        {
            if (cell.Suspicion is not { } suspicion || suspicion.From != since)
            {
                suspicion = HangDetector.Ask(draft, since, suspects.Behind.IsEmpty ? pods : suspects.Behind);
                cell = cell with { Suspicion = suspicion };
                Put(draft, name, cell);
            }

            if (!suspicion.Complete && suspicion.Deadline > due) due = suspicion.Deadline;
        }

        if (draft.Now < due)
        {
            draft.WakeAt(due);
            return;
        }

        // Whoever it is: by the worker the cell is known.
        var worker = suspects.Behind.IsEmpty ? pods[0] : suspects.Behind[0];
        Put(draft, name, cell with { Told = true, Suspicion = null, Steps = cell.Steps with { HungAt = suspects.Behind.IsEmpty ? cell.Steps.Frontier : cell.Steps.HungAt } });
        FailureDetector.Add(draft, FailureDetector.Of(worker, FailureKind.Hang, $"no step in cell {name} for {Seconds.Text(draft.Now - since)}, while others go on, {why}; {suspects.Words}", since, "progress") with
        {
            Diagnostics = cell.Suspicion?.Text(draft.Spec.HangDiagnostics) ?? "",
        });
    }

    private static (TimeSpan Limit, string Why) Limit(GangSpec spec, CellWatch cell, CellTimes times)
    {
        var least = Heartbeats * spec.HeartbeatInterval;
        if (spec.HangTimeout is { } timeout) return (Longer(timeout, least), $"the fixed limit of {Seconds.Text(timeout)}");
        var options = spec.HangDetection!;
        var watch = cell.Taught(times);
        var (learned, own) = (watch.Limit(options), cell.OwnLimit(options));
        return own > learned ? (Longer(own, least), $"the limit of {Seconds.Text(own)} where the 99th percentile of its own {cell.Own.Count} steps is {Seconds.Text(cell.Own.Upper99)}") : (Longer(learned, least), watch.Explain(options));
    }

    /// <summary>So long before it is due to be reported we look, and ask for evidence if the gang has a command for that.</summary>
    private static TimeSpan Ahead(GangSpec spec, TimeSpan limit) => spec.HangDiagnostics.IsEmpty ? Breath : Longer(HangDetector.Ahead(spec, limit), Breath);

    private static void Put(GangDraft draft, string name, CellWatch cell) =>
        draft.Set(s => s with { Progress = s.Progress with { Cells = s.Progress.Cells.SetItem(name, cell) } });
}
