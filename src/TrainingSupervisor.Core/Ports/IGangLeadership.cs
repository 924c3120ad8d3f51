namespace TrainingSupervisor.Ports;

/// <summary>Who leads a gang, by a Lease <c>gang-NAME</c>.</summary>
internal interface IGangLeadership
{
    /// <summary>Waits until this process leads the gang. The term is one higher than that of the leader before.</summary>
    Task<IGangTerm> AcquireAsync(GangSpec spec, CancellationToken cancellationToken);
}

/// <summary>A term of leadership; disposing gives it up at once.</summary>
internal interface IGangTerm : IAsyncDisposable
{
    long Term { get; }

    /// <summary>Cancelled when the Lease could not be renewed in time: stop all effects.</summary>
    CancellationToken Lost { get; }
}
