namespace TrainingSupervisor;

/// <summary>Launches gangs, and takes over those that a supervisor before this one launched.</summary>
public interface ITrainingSupervisor
{
    /// <summary>
    /// Launches a gang, or takes it over if its record is in the cluster already. Returns once this process leads it. The name of a gang that has ended
    /// is free again in this process, and the old handle keeps what became of it. In the cluster its record decides: a gang that was stopped has
    /// none, and so is new; of one that succeeded or failed the record stays until somebody deletes it, and until then its end is only told once more.
    /// </summary>
    /// <param name="gang">The description.</param>
    /// <param name="cancellationToken">Ends the wait; the gang itself is ended with <see cref="GangHandle.StopAsync"/>.</param>
    /// <exception cref="SupervisorException">The cluster cannot be reached or refuses; the message says what would be right. Or a gang of that name has not ended in this process.</exception>
    Task<GangHandle> LaunchAsync(GangSpec gang, CancellationToken cancellationToken = default);

    /// <summary>The gangs that this process has launched or taken over, also those that have ended: of each name the newest.</summary>
    IReadOnlyCollection<GangHandle> Gangs { get; }
}
