using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Ports;

/// <summary>The agents' side: one listener for all gangs of this process.</summary>
internal interface IAgentGateway
{
    /// <summary>The address that agents are told, as <c>https://host:port</c>; known once the listener has started.</summary>
    ValueTask<string> GetEndpointAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Serves the agents of one gang until disposed. Feeds AgentSeen, AgentGone, ProgressSeen, QuiesceAnswered and AgentRefused.
    /// </summary>
    IGangAgents Serve(GangSpec spec, long term, GangCredentials credentials, Action<GangInput> sink);
}

/// <summary>The agents of one gang. Sends never block and never throw for an agent that is not there: the machine says it again.</summary>
internal interface IGangAgents : IAsyncDisposable
{
    void Restart(RestartWorker command);

    void Release(ReleaseGang command);

    void Tell(TellRoster command);

    void Quiesce(QuiesceWorker command);

    void Halt(HaltAgent command);

    void Run(RunCommand command);
}
