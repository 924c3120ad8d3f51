namespace TrainingSupervisor.Engine;

/// <summary>For clocks that run from whatever came last.</summary>
internal static class Latest
{
    public static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    public static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
