namespace TrainingSupervisor.Ports;

/// <summary>Who leads a gang, by a Lease <c>gang-NAME</c>.</summary>
internal interface IGangLeadership
{
    /// <summary>Waits until this process leads the gang. The term is one higher than that of the leader before.</summary>
    /// <param name="spec">The gang.</param>
    /// <param name="waiting">Told at each look whose end is waited for; null while nobody is known to lead.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<IGangTerm> AcquireAsync(GangSpec spec, Action<string?> waiting, CancellationToken cancellationToken);
}

/// <summary>A term of leadership; disposing gives it up at once.</summary>
internal interface IGangTerm : IAsyncDisposable
{
    long Term { get; }

    /// <summary>Cancelled when the Lease could not be renewed in time: stop all effects.</summary>
    CancellationToken Lost { get; }
}
