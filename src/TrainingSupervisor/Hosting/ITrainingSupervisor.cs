namespace TrainingSupervisor;

/// <summary>Launches gangs, and takes over those that a supervisor before this one launched.</summary>
public interface ITrainingSupervisor
{
    /// <summary>
    /// Launches a gang, or takes it over if its record is in the cluster already. Returns once this process leads it.
    /// </summary>
    /// <param name="gang">The description.</param>
    /// <param name="cancellationToken">Ends the wait; the gang itself is ended with <see cref="GangHandle.StopAsync"/>.</param>
    /// <exception cref="SupervisorException">The cluster cannot be reached or refuses; the message says what would be right.</exception>
    Task<GangHandle> LaunchAsync(GangSpec gang, CancellationToken cancellationToken = default);

    /// <summary>The gangs that this process has launched or taken over.</summary>
    IReadOnlyCollection<GangHandle> Gangs { get; }
}
