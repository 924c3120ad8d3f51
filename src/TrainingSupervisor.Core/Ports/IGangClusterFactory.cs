namespace TrainingSupervisor.Ports;

/// <summary>What hosting needs of a cluster.</summary>
internal interface IGangClusterFactory
{
    IGangLeadership Leadership { get; }

    /// <summary>One for each term.</summary>
    IGangCluster Create();
}
