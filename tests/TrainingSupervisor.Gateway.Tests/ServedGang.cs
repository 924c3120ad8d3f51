using TrainingSupervisor.Ports;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

/// <summary>A gang that the gateway serves, and the means to be one of its agents.</summary>
internal sealed record ServedGang(GangSpec Spec, GangCredentials Credentials, Sink Sink, IGangAgents Agents, int Port) : IAsyncDisposable
{
    public TestAgent Agent(string? token = null) =>
        new(Port, $"{Spec.Name}.{Spec.Namespace}.gang", token ?? "Bearer " + Credentials.Token, Credentials.CertificatePem);

    /// <summary>An agent that has said hello and been welcomed.</summary>
    public async Task<TestAgent> JoinAsync(string pod, Action<Hello>? change = null, DateTimeOffset? sent = null)
    {
        var agent = Agent();
        var hello = Hello(pod);
        change?.Invoke(hello);
        try
        {
            await agent.SayAsync(new AgentMessage { Hello = hello }, sent);
            await agent.NextAsync(SupervisorMessage.KindOneofCase.Welcome);
            return agent;
        }
        catch
        {
            await agent.DisposeAsync();
            throw;
        }
    }

    /// <summary>The same, again and again as an agent does, since of a thousand at once on a busy machine some may be refused.</summary>
    public async Task<(TestAgent Agent, int Refused)> JoinPatientlyAsync(string pod, Action<Hello>? change = null)
    {
        for (var refused = 0; ; refused++)
        {
            try
            {
                return (await JoinAsync(pod, change), refused);
            }
            catch (Exception e) when (refused < 10 && e is Grpc.Core.RpcException or IOException)
            {
                await Task.Delay(50 + refused * 100);
            }
        }
    }

    public Hello Hello(string pod) => new()
    {
        Gang = Spec.Name, Namespace = Spec.Namespace, Role = "trainer", PodName = pod, PodUid = "uid-" + pod, PodIp = "10.0.0.1", Node = "node-1",
        Instance = Guid.NewGuid().ToString("N"), State = new AgentState { Phase = AgentState.Types.Phase.Waiting },
    };

    public ValueTask DisposeAsync() => Agents.DisposeAsync();
}
