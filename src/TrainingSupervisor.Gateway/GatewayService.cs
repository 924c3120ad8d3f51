using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>The gRPC end: who is it, may it, and which gang's is it. Nothing that it sends is read before its token is found right.</summary>
internal sealed class GatewayService(AgentGateway gateway) : Protocol.Gateway.GatewayBase
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public override async Task Connect(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<SupervisorMessage> responseStream, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        ConnectionGuard.NoteCall(http);
        var gang = gateway.Find(new HostString(context.Host).Host)
            ?? throw Refuse(context, StatusCode.FailedPrecondition, "this supervisor does not lead that gang");
        if (!gang.Token.Admits(context.RequestHeaders.GetValue("authorization"))) throw Refuse(context, StatusCode.Unauthenticated, "wrong token");
        await context.WriteResponseHeadersAsync(Metadata.Empty);
        var (hello, sent) = await HelloAsync(requestStream, context);
        if (HelloCheck.Problem(hello, gang.Spec) is { } problem) throw Refuse(context, StatusCode.InvalidArgument, problem);
        if (hello.Term > gang.Term)
        {
            throw Refuse(context, StatusCode.FailedPrecondition, $"term {gang.Term} is over: Pod {hello.PodName} has obeyed term {hello.Term}", "old term");
        }

        await gang.RunAsync(hello, sent, requestStream, responseStream, http.Abort, context.CancellationToken);
    }

    private async Task<(Hello Hello, long Sent)> HelloAsync(IAsyncStreamReader<AgentMessage> stream, ServerCallContext context)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            if (await stream.MoveNext(patience.Token) && stream.Current.Hello is { } hello) return (hello, stream.Current.SentUnixMs);
        }
        catch (OperationCanceledException) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw Refuse(context, StatusCode.DeadlineExceeded, $"no hello within {Patience.TotalSeconds} s");
        }
        catch (RpcException e) when (e.StatusCode != StatusCode.Cancelled)
        {
            throw Refuse(context, e.StatusCode, $"its first message is not readable: {e.Status.Detail}");
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Refuse(context, StatusCode.InvalidArgument, $"its first message is not readable: {e.Message}");
        }

        throw Refuse(context, StatusCode.InvalidArgument, "the first message must be a hello");
    }

    private RpcException Refuse(ServerCallContext context, StatusCode code, string why, string? kind = null)
    {
        gateway.Turnaways.Note(kind ?? code.ToString(), context.Peer, why);
        return new RpcException(new Status(code, why));
    }
}
