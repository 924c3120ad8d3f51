using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>The gRPC end: who is it, may it, and which gang's is it.</summary>
internal sealed class GatewayService(AgentGateway gateway) : Protocol.Gateway.GatewayBase
{
    public override async Task Connect(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<SupervisorMessage> responseStream, ServerCallContext context)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        if (!await requestStream.MoveNext(patience.Token) || requestStream.Current.Hello is not { } hello)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message must be a hello"));
        }

        var gang = gateway.Find(hello.Gang, hello.Namespace)
            ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, "this supervisor does not lead that gang"));
        var given = Encoding.UTF8.GetBytes(context.RequestHeaders.GetValue("authorization") ?? "");
        if (!CryptographicOperations.FixedTimeEquals(given, gang.Authorization))
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, "wrong token"));
        }

        await gang.RunAsync(hello, requestStream, responseStream, context.CancellationToken);
    }
}
