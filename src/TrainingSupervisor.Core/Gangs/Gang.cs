namespace TrainingSupervisor;

/// <summary>Where the description of a gang begins.</summary>
public static class Gang
{
    /// <summary>Begins to describe a gang.</summary>
    /// <param name="name">A DNS label of at most 40 characters, unique in its namespace.</param>
    public static GangBuilder Create(string name) => new(name);
}
