using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>Puts what a worker says of its progress into the book: a fixed amount of work for each report, however large the gang is.</summary>
internal static class ProgressLearner
{
    private static readonly HangDetection Defaults = new();

    /// <summary>A Pod's agent or its progress has changed.</summary>
    public static void Changed(GangDraft draft, PodState before, PodState after)
    {
        var attempt = draft.State.Attempt;
        if (after.Worker is null || after.Progress is not { } progress || progress.Attempt != after.Target) return;
        var book = draft.State.Progress;
        var next = book.Attempt == attempt ? book : Begin(draft, book, before);
        next = Phase(next, AwayPhase(before), AwayPhase(after), draft.Now);
        if (progress.Step >= 0 && !ReferenceEquals(before.Progress, progress)) next = Step(draft, next, before, after, progress);
        next = CellLearner.See(draft, next, before, after, progress);
        if (!ReferenceEquals(book, next)) draft.Set(s => s with { Progress = next });
    }

    private static ProgressBook Begin(GangDraft draft, ProgressBook book, PodState before) => book with
    {
        Attempt = draft.State.Attempt,
        // Where only a cell was restarted, the others may be in a phase.
        Away = draft.Pods.Count(p => p.Worker is not null && AwayPhase(p.Name == before.Name ? before : p) is not null),
        Phase = "",
        PhaseSince = draft.Now,
        Resumed = DateTimeOffset.MinValue,
        Suspicion = null,
        ReportedFor = null,
        ExtendedFor = null,
        Paces = book.Paces.Clear(),
        Roles = book.Roles.ToImmutableSortedDictionary(r => r.Key, r => r.Value with { Frontier = -1, Advances = 0 }),
    };

    /// <summary>Steps are learned from where hangs are not looked for, too.</summary>
    public static HangDetection OptionsOf(GangSpec spec) => spec.HangDetection ?? Defaults;

    /// <summary>The step that it had reported before in the attempt that this is about; -1 for none.</summary>
    public static long StepBefore(PodState before, ProgressObservation progress) => before.Progress is { } p && p.Attempt == progress.Attempt ? p.Step : -1;

    /// <summary>What a worker says that it does instead of training; null if it trains, or has ended.</summary>
    public static string? AwayPhase(PodState pod) =>
        pod.Progress is { } p && p.Attempt == pod.Target && pod.Agent?.Phase != AgentPhase.Exited && !PhaseTime.IsTraining(p.Phase) ? p.Phase : null;

    private static ProgressBook Phase(ProgressBook book, string? before, string? after, DateTimeOffset now)
    {
        if (before == after) return book;
        var away = book.Away + (after is null ? 0 : 1) - (before is null ? 0 : 1);
        var changes = book.Away == 0 || away == 0 || (after is not null && after != book.Phase);
        if (!changes) return book with { Away = away };
        var phases = book.Away > 0 && book.Phase.Length > 0 ? book.Phases.SetItem(book.Phase, book.PhaseTimeOf(book.Phase).Add(now - book.PhaseSince)) : book.Phases;
        var next = book.Spoil() with { Away = away, Phases = phases };
        return away > 0 ? next with { Phase = after ?? book.Phase, PhaseSince = now } : next with { Phase = "", Resumed = now };
    }

    private static ProgressBook Step(GangDraft draft, ProgressBook book, PodState before, PodState after, ProgressObservation progress)
    {
        var options = OptionsOf(draft.Spec);
        var stepBefore = StepBefore(before, progress);
        if (stepBefore == progress.Step) return book;
        var role = after.Worker!.Value.Role;
        var known = book.Roles.GetValueOrDefault(role);
        var watch = known ?? new StepWatch();
        if (watch.Frontier < 0)
        {
            var seen = progress.Attempt == draft.State.Attempt && after.ReleasedAttempt == progress.Attempt;
            watch = watch.Begin(seen ? after.ReleasedAt : null, draft.Now, options) with { Spoiled = !seen || book.Away > 0 };
        }
        else if (after.ConnectedSince > watch.FrontierAt)
        {
            // Its stream was away in between: the steps may be older than the report.
            watch = watch with { Spoiled = true };
        }

        var waitedSince = Latest.Later(book.Resumed, watch.LastAdvance);
        var next = watch.Advance(stepBefore, progress.Step, draft.Now, waitedSince, options);
        return ReferenceEquals(known, next) ? book : book with { Roles = book.Roles.SetItem(role, next) };
    }
}
