namespace TrainingSupervisor;

/// <summary>How many recoveries may be had within a window.</summary>
/// <param name="Recoveries">Zero to 1,000. One more spends the budget.</param>
/// <param name="Window">How far back it counts; more than zero, at most 30 days.</param>
/// <param name="PaidBackAfter">
/// A recovery counts no more once the gang has done this many steps beyond the furthest step that it had reached before that failure; where the
/// worker that failed is in a cell, once that cell has. Default 100; 0 for never.
/// </param>
public sealed record RecoveryBudget(int Recoveries, TimeSpan Window, int PaidBackAfter = RecoveryBudget.DefaultPaidBackAfter)
{
    internal const int DefaultPaidBackAfter = 100;

    /// <summary>Whether a recovery is paid back by now. What other cells do, which may have trained on all the time, is no progress of a cell that failed.</summary>
    internal static bool IsPaidBack(RecoveryEntry entry, int after, FailureContext context) =>
        after > 0 && (entry.Cell is { } cell ? context.CellSteps.GetValueOrDefault(cell, -1) : context.BestStep) >= entry.BestStep + after;
}
