using System.Net.Security;
using System.Net.Sockets;
using System.Threading.Channels;
using Grpc.Core;
using Grpc.Net.Client;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Link;

/// <summary>Keeps one stream to the supervisor: connects, says hello, beats, notices silence, and connects again.</summary>
internal sealed class GatewayLink(
    AgentOptions options, TimeProvider time, Fence fence, Func<Task<Hello>> hello, Func<SupervisorMessage, ValueTask> onMessage, Action<bool> onConnected)
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(3), WelcomeLimit = TimeSpan.FromSeconds(5);
    private volatile Channel<AgentMessage>? _outbound;
    private volatile Task _stream = Task.CompletedTask;
    private int _endpoint;
    private string? _lastProblem;

    /// <summary>Queues a message for the stream; drops it if there is none, as the next hello says all of it again.</summary>
    internal void Send(AgentMessage message)
    {
        message.SentUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        _ = _outbound?.Writer.TryWrite(message);
    }

    /// <summary>Lets what was sent go out, and waits a little for the other side to have had it.</summary>
    internal async Task FlushAsync(TimeSpan limit)
    {
        _outbound?.Writer.TryComplete();
        await Task.WhenAny(_stream, Task.Delay(limit, time)).ConfigureAwait(false);
    }

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        var backoff = new Backoff();
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var stream = StreamAsync(backoff, cancellationToken);
                _stream = stream;
                await stream.ConfigureAwait(false);
                Report("the supervisor closed the stream");
            }
            catch (RpcException e)
            {
                Report($"no stream to the supervisor: {e.StatusCode}: {e.Status.Detail}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or FormatException
                or ArgumentException or OperationCanceledException or HttpRequestException or InvalidOperationException)
            {
                if (!cancellationToken.IsCancellationRequested)
                    Report($"no stream to the supervisor: {e.Message}");
            }

            if (!cancellationToken.IsCancellationRequested)
                await Task.Delay(backoff.Next(), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task StreamAsync(Backoff backoff, CancellationToken cancellationToken)
    {
        var secrets = Secrets.Read(options.SecretDirectory);
        var endpoint = secrets.Endpoints[_endpoint++ % secrets.Endpoints.Count];
        using var handler = Handler(secrets, endpoint);
        // The name in the address is what TLS asks for (SNI); where it leads is the connect callback's business.
        using var channel = GrpcChannel.ForAddress($"https://{options.Gang}.{options.Namespace}.gang:{endpoint.Port}", new GrpcChannelOptions { HttpHandler = handler });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = new Gateway.GatewayClient(channel).Connect(
            new Metadata { { "authorization", $"Bearer {secrets.Token}" } }, cancellationToken: stop.Token);
        var outbound = Channel.CreateUnbounded<AgentMessage>(new UnboundedChannelOptions { SingleReader = true });
        outbound.Writer.TryWrite(new AgentMessage { SentUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(), Hello = await hello().ConfigureAwait(false) });
        _outbound = outbound;
        // Whatever changed between the hello and this line would be lost otherwise: say the state once more after it.
        var late = await hello().ConfigureAwait(false);
        outbound.Writer.TryWrite(new AgentMessage { SentUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(), State = late.State });
        var beats = new Heartbeats(time, fence, stop.Cancel);
        var sender = SendAllAsync(call.RequestStream, outbound.Reader, stop.Token);
        var beating = Task.CompletedTask;
        var connected = false;
        try
        {
            stop.CancelAfter(WelcomeLimit);
            await foreach (var message in call.ResponseStream.ReadAllAsync(stop.Token).ConfigureAwait(false))
            {
                if (message.KindCase == SupervisorMessage.KindOneofCase.Welcome && !connected)
                {
                    stop.CancelAfter(Timeout.InfiniteTimeSpan);
                    connected = true;
                    backoff.Reset();
                    if (_lastProblem is not null)
                        Log.Write("connected to the supervisor");
                    _lastProblem = null;
                    beating = beats.RunAsync(message.Welcome, Send, stop.Token);
                    onConnected(true);
                }

                if (message.KindCase == SupervisorMessage.KindOneofCase.Ack)
                    beats.Acked(message.Ack.Sequence);
                else
                    await onMessage(message).ConfigureAwait(false);
            }
        }
        finally
        {
            _outbound = null;
            outbound.Writer.TryComplete();
            await stop.CancelAsync().ConfigureAwait(false);
            await sender.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await beating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (connected)
                onConnected(false);
        }
    }

    private static async Task SendAllAsync(IClientStreamWriter<AgentMessage> stream, ChannelReader<AgentMessage> messages, CancellationToken cancellationToken)
    {
        await foreach (var message in messages.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            await stream.WriteAsync(message, cancellationToken).ConfigureAwait(false);
        await stream.CompleteAsync().ConfigureAwait(false);
    }

    private static SocketsHttpHandler Handler(Secrets secrets, Uri endpoint) => new()
    {
        UseProxy = false,
        ConnectTimeout = ConnectLimit,
        ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(endpoint.IdnHost, endpoint.Port, cancellationToken).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                certificate is not null && certificate.GetRawCertData().AsSpan().SequenceEqual(secrets.Certificate),
        },
    };

    private void Report(string problem)
    {
        // One line for each new problem, not one for each attempt.
        if (problem != _lastProblem)
            Log.Write(problem);
        _lastProblem = problem;
    }
}
