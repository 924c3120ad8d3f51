using TrainingSupervisor.Observations;
using static TrainingSupervisor.Engine.Latest;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>Puts what a worker says of its progress into the book of its cell, where its role has cells.</summary>
internal static class CellLearner
{
    public static ProgressBook See(GangDraft draft, ProgressBook book, PodState before, PodState after, ProgressObservation progress)
    {
        var worker = after.Worker!.Value;
        if (Cells.Of(draft.Spec, worker) is not { } name) return book;
        var stepBefore = ProgressLearner.StepBefore(before, progress);
        var stepped = progress.Step >= 0 && !ReferenceEquals(before.Progress, progress) && progress.Step != stepBefore;
        var phase = ProgressLearner.AwayPhase(before);
        var changes = phase != ProgressLearner.AwayPhase(after);
        var known = book.Cells.GetValueOrDefault(name);
        if (!stepped && (!changes || known is null)) return book;

        var cell = known?.In(after.Target) ?? new CellWatch(worker.Role, worker.Index / draft.Spec.Role(worker.Role).CellSize, after.Target);
        if (changes) cell = cell with { Resumed = phase is null ? cell.Resumed : draft.Now, Steps = cell.Steps with { Spoiled = true } };
        if (!stepped) return book with { Cells = book.Cells.SetItem(name, cell) };

        if (book.CellTimes.TryGetValue(worker.Role, out var taught) && taught.LookBy(draft.Spec) is var lookBy && book.CellsLookedAt < lookBy && draft.Now > lookBy + CellHangDetector.Late)
        {
            // Nobody was heard of for so long because we ourselves did not run.
            book = book.SpoilCells(draft.Now);
            cell = cell with { Steps = cell.Steps with { Spoiled = true } };
        }

        var times = (book.CellTimes.GetValueOrDefault(worker.Role) ?? new CellTimes()).Stepped(draft.Spec, draft.Now);
        var watch = Ready(draft, times, cell, after);
        var options = ProgressLearner.OptionsOf(draft.Spec);
        var since = Later(cell.Since, times.GoingSince);
        var paused = draft.Now - since > cell.OwnLimit(options) && draft.Now - since > watch.Limit(options);
        // Only what might have been taken for a hang is a pause.
        var next = watch.Advance(stepBefore, progress.Step, draft.Now, paused ? since : draft.Now, options);
        times = times with { Steps = next.Times, LongestWarmUp = next.LongestWarmUp };
        return book with { Cells = book.Cells.SetItem(name, cell.Advance(watch, next, isOwn: !paused && times.GoingSince <= watch.FrontierAt)), CellTimes = book.CellTimes.SetItem(worker.Role, times) };
    }

    private static StepWatch Ready(GangDraft draft, CellTimes times, CellWatch cell, PodState pod)
    {
        var options = ProgressLearner.OptionsOf(draft.Spec);
        var watch = times.Teach(cell.Steps);
        if (watch.Frontier < 0)
        {
            var seen = pod.ReleasedAttempt == cell.Attempt;
            return watch.Begin(seen ? pod.ReleasedAt : null, draft.Now, options) with { Spoiled = !seen || watch.Spoiled };
        }

        // Not its own time: its stream was away, or others were recovered.
        return pod.ConnectedSince > watch.FrontierAt || draft.State.StageSince > watch.FrontierAt ? watch with { Spoiled = true } : watch;
    }
}
