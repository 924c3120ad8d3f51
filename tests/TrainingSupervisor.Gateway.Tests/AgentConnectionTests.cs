using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class AgentConnectionTests
{
    [Fact]
    public async Task DrainAsync_WithAnAckComingInMeanwhile_StillSaysTheLastCommand()
    {
        using var closing = new CancellationTokenSource();
        using var connection = new AgentConnection(new Hello(), TimeProvider.System, closing);
        var writer = new HeldWriter();
        Assert.True(connection.TrySend(new SupervisorMessage { Restart = new Restart { Reason = "before" } }));
        Assert.True(connection.TrySend(new SupervisorMessage { Halt = new Halt { Reason = "last" } }));
        var pump = connection.PumpAsync(writer, closing.Token);

        var drain = connection.DrainAsync(Limits.Wait);
        // An answer to a heartbeat that came in just now: too late to be said, and no reason to close.
        var kept = connection.TrySend(new SupervisorMessage { Ack = new HeartbeatAck() });
        writer.Go.SetResult();
        await drain.Soon();
        await pump.Soon();

        Assert.True(kept);
        Assert.Equal([SupervisorMessage.KindOneofCase.Restart, SupervisorMessage.KindOneofCase.Halt], writer.Written);
    }

    [Fact]
    public async Task TrySend_ToOneThatDoesNotRead_IsRefusedWhenTheQueueIsFull()
    {
        using var closing = new CancellationTokenSource();
        using var connection = new AgentConnection(new Hello(), TimeProvider.System, closing);
        var writer = new HeldWriter();
        var pump = connection.PumpAsync(writer, closing.Token);

        var taken = Enumerable.Range(0, 5000).TakeWhile(_ => connection.TrySend(new SupervisorMessage { Ack = new HeartbeatAck() })).Count();
        connection.Close();
        await pump.Soon();

        Assert.InRange(taken, AgentConnection.MostWaiting, AgentConnection.MostWaiting + 1);
        Assert.True(closing.IsCancellationRequested);
        // Closed for good: nothing more is said, and nobody is told again.
        Assert.True(connection.TrySend(new SupervisorMessage()));
    }
}
