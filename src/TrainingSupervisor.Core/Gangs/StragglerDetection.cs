namespace TrainingSupervisor;

/// <summary>How stragglers are found. Made by <see cref="GangBuilder.WithStragglerDetection"/>.</summary>
public sealed record StragglerDetection
{
    internal StragglerDetection()
    {
    }

    /// <summary>How many times slower than its role's median a worker is that must be found. Default 1.5.</summary>
    public double Factor { get; init; } = 1.5;

    /// <summary>How many of the latest steps are looked at. Default 32.</summary>
    public int Steps { get; init; } = 32;
}
