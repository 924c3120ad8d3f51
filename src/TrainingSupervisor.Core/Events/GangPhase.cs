namespace TrainingSupervisor;

/// <summary>Where a gang is in its life.</summary>
public enum GangPhase
{
    /// <summary>Known, and nothing of it started.</summary>
    Pending,

    /// <summary>The first Pods come up and gather at the barrier.</summary>
    Starting,

    /// <summary>All workers train.</summary>
    Running,

    /// <summary>Something failed; the gang is on its way to the next attempt.</summary>
    Recovering,

    /// <summary>Every worker ended with exit code 0.</summary>
    Succeeded,

    /// <summary>The gang ended for a failure that the policy does not recover from.</summary>
    Failed,

    /// <summary>Someone stopped the gang.</summary>
    Stopped,
}
