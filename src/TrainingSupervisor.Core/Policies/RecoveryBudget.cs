namespace TrainingSupervisor;

/// <summary>How many recoveries may be had within a window.</summary>
/// <param name="Recoveries">Zero to 1,000. One more spends the budget.</param>
/// <param name="Window">How far back it counts; more than zero, at most 30 days.</param>
/// <param name="PaidBackAfter">
/// A recovery counts no more once the gang has done this many steps beyond the furthest step that it had reached before that failure.
/// Default 100; 0 for never.
/// </param>
public sealed record RecoveryBudget(int Recoveries, TimeSpan Window, int PaidBackAfter = RecoveryBudget.DefaultPaidBackAfter)
{
    internal const int DefaultPaidBackAfter = 100;

    /// <summary>Whether a recovery from this furthest step is paid back now.</summary>
    internal static bool IsPaidBack(RecoveryEntry entry, int after, long bestStep) => after > 0 && bestStep >= entry.BestStep + after;
}
