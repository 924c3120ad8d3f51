namespace TrainingSupervisor;

/// <summary>The wait before the second recovery in a row; it doubles with each further one.</summary>
/// <param name="First">The first wait; zero for none.</param>
/// <param name="Longest">The longest wait.</param>
public sealed record RecoveryBackoff(TimeSpan First, TimeSpan Longest)
{
    /// <summary>The wait after so many recoveries in a row.</summary>
    internal TimeSpan After(int recoveries) => recoveries == 0 || First <= TimeSpan.Zero
        ? TimeSpan.Zero
        : TimeSpan.FromSeconds(Math.Min(First.TotalSeconds * Math.Pow(2, Math.Min(recoveries - 1, 30)), Longest.TotalSeconds));
}
