namespace TrainingSupervisor.Agent.Tests;

internal static class Contextless
{
    /// <summary>Without a context, what this wakes runs here and now: the test knows when it is done.</summary>
    internal static void Run(Action action)
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }
}
