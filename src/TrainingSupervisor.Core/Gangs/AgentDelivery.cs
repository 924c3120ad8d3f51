namespace TrainingSupervisor;

/// <summary>How the agent gets into a worker's Pod.</summary>
public enum AgentDelivery
{
    /// <summary>A read-only image volume holds the agent (Kubernetes 1.36). The cheapest: no init container.</summary>
    ImageVolume,

    /// <summary>An init container copies the agent from its image into an emptyDir. For clusters without image volumes.</summary>
    InitContainer,

    /// <summary>The worker's own image has the agent already.</summary>
    InImage,
}
