namespace TrainingSupervisor.Engine;

/// <summary>
/// How long a gang's loop waits for more of what can wait. A step looks at the whole gang, whatever has woken it: ten thousand healthy workers
/// report at every moment, and would keep it busy for ever.
/// </summary>
internal static class Pace
{
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(100);

    /// <summary>Cheaper steps are not worth a timer.</summary>
    private static readonly TimeSpan Cheap = TimeSpan.FromMilliseconds(1);

    /// <summary>So many times what the last step took: steps get a fifth of one core.</summary>
    private const int Rest = 4;

    public static TimeSpan After(TimeSpan step) => step < Cheap ? TimeSpan.Zero : step * Rest < Longest ? step * Rest : Longest;
}
