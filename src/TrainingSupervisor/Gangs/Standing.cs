using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>How this process stands to its gang, until that changes: it leads, another does, or nobody is known to.</summary>
internal sealed class Standing(GangLoop? loop, string? leader)
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The loop of this process's term; null while it does not lead.</summary>
    public GangLoop? Loop => loop;

    /// <summary>Who else holds the Lease, if that is known.</summary>
    public string? Leader => leader;

    /// <summary>Completes when this is how it stood.</summary>
    public Task Over => _over.Task;

    public void End() => _over.TrySetResult();
}
