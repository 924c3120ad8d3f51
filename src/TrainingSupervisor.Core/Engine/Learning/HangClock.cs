using static TrainingSupervisor.Engine.Latest;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>Since when the gang does nothing that can be seen, how long that may last, and what the limit is.</summary>
/// <param name="From">The start.</param>
/// <param name="Limit">After that long it hangs.</param>
/// <param name="Why">The limit in words.</param>
/// <param name="Role">The role whose steps set the limit; null if none does.</param>
/// <param name="Phase">The phase that lasts; empty for training.</param>
internal sealed record HangClock(DateTimeOffset From, TimeSpan Limit, Func<string> Why, string? Role, string Phase)
{
    /// <summary>Null if this gang cannot hang, as far as anybody can tell: it is switched off, or nobody has ever reported a step.</summary>
    public static HangClock? Of(GangDraft draft)
    {
        var state = draft.State;
        var book = state.Progress;
        if (state.Spec.HangTimeout is { } timeout)
        {
            return new HangClock(Later(state.LastAdvance, book.Resumed), timeout, () => $"the fixed limit of {Seconds.Text(timeout)}", null, "");
        }

        if (state.Spec.HangDetection is not { } options || book.Attempt == 0) return null;
        if (book.Attempt != state.Attempt) return FirstStep(state, options);
        if (book.Away > 0)
        {
            var known = book.PhaseTimeOf(book.Phase);
            return new HangClock(Later(Later(book.PhaseSince, state.LastAdvance), book.Resumed), known.Limit(options),
                () => known.Count == 0 ? $"the limit of {Seconds.Text(known.Limit(options))} for a phase seen for the first time"
                    : $"the limit of {Seconds.Text(known.Limit(options))}: it has lasted {Seconds.Text(known.Longest)} at most, {known.Count} times",
                null, book.Phase);
        }

        // The gang hangs when no role does anything: the last of their deadlines counts. A role that is done is past its own.
        HangClock? last = null;
        foreach (var (name, watch) in book.Roles)
        {
            if (watch.Frontier < 0) continue;
            last = Last(last, new HangClock(Later(watch.LastAdvance, book.Resumed), watch.Limit(options), () => watch.Explain(options), name, ""));
        }

        return last is null ? FirstStep(state, options) : book.Cells.IsEmpty ? last : StartingCells(draft, options).Aggregate(last, Last);
    }

    /// <summary>A cell that was restarted by itself has the time of its first steps, and so has the gang, of which the rest may wait for it.</summary>
    private static IEnumerable<HangClock> StartingCells(GangDraft draft, HangDetection options)
    {
        foreach (var one in KnownCell.Of(draft))
        {
            var pod = draft.AtRank(one.First);
            var cell = one.Cell.In(pod.Target);
            var watch = cell.Taught(one.Times);
            if (watch.Advances >= options.WarmUpSteps) continue;
            var from = ReferenceEquals(cell, one.Cell) ? cell.Since : pod.ReleasedAt;
            yield return new HangClock(Later(from, draft.State.Progress.Resumed), watch.Limit(options), () => watch.Explain(options), one.Role.Name, "");
        }
    }

    private static HangClock Last(HangClock? a, HangClock b) => a is null || b.From + b.Limit > a.From + a.Limit ? b : a;

    /// <summary>Nobody has done a step in this attempt yet; in former ones they did.</summary>
    private static HangClock? FirstStep(GangState state, HangDetection options)
    {
        HangClock? last = null;
        foreach (var (name, known) in state.Progress.Roles)
        {
            var watch = known with { Advances = 0 };
            var clock = new HangClock(Later(state.LastAdvance, state.Progress.Resumed), watch.Limit(options), () => watch.Explain(options), name, "");
            if (last is null || clock.Limit > last.Limit) last = clock;
        }

        return last;
    }
}
