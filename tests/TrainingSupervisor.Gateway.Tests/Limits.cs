namespace TrainingSupervisor.Gateway.Tests;

/// <summary>Generous: the tests wait for conditions, and only a broken product makes them wait this long.</summary>
internal static class Limits
{
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(60);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Wait);

    public static Task Soon(this Task task) => task.WaitAsync(Wait);

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Wait);
        while (!condition())
        {
            if (limit.IsCancellationRequested) throw new TimeoutException(what);
            await Task.Delay(5);
        }
    }
}
