using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Grpc.Core;
using Grpc.Net.Client;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Link;

/// <summary>Keeps one stream to the supervisor: connects, says hello, beats, notices silence, and connects again.</summary>
internal sealed class GatewayLink(
    AgentOptions options, TimeProvider time, Fence fence, Func<Task<Hello>> hello, Func<SupervisorMessage, ValueTask> onMessage, Action<bool> onConnected)
{
    // The roster of tens of thousands of workers is larger than the usual limit of 4 MB.
    private const int LargestMessage = 64 * 1024 * 1024;
    private const int MostProblems = 32;

    // With a whole gang at its door a supervisor needs seconds for all the handshakes.
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5), WelcomeLimit = TimeSpan.FromSeconds(10), HeadersLimit = TimeSpan.FromSeconds(5);
    private volatile Channel<AgentMessage>? _outbound;
    private volatile Task _stream = Task.CompletedTask;
    private int _endpoint;
    private readonly HashSet<string> _problems = new(StringComparer.Ordinal);
    private volatile bool _leaving;

    /// <summary>Queues a message for the stream; drops it if there is none, as the next hello says all of it again.</summary>
    internal void Send(AgentMessage message) => _ = _outbound?.Writer.TryWrite(message);

    /// <summary>Lets what was sent go out, and waits a little for the other side to have had it.</summary>
    internal async Task FlushAsync(TimeSpan limit)
    {
        _leaving = true;
        _outbound?.Writer.TryComplete();
        await Task.WhenAny(_stream, Task.Delay(limit, time)).ConfigureAwait(false);
    }

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
#pragma warning disable CA5394 // Jitter needs no secret.
        var backoff = new Backoff(Random.Shared.NextDouble);
#pragma warning restore CA5394
        while (!cancellationToken.IsCancellationRequested && !_leaving)
        {
            var began = time.GetTimestamp();
            try
            {
                var stream = StreamAsync(cancellationToken);
                _stream = stream;
                await stream.ConfigureAwait(false);
                Report("the supervisor closed the stream");
            }
            catch (RpcException e)
            {
                Report($"no stream to the supervisor: {e.StatusCode}: {e.Status.Detail}");
            }
            catch (Exception e)
            {
                // The edge of the loop: whatever it is, an agent that no longer tries is lost to its gang.
                if (!cancellationToken.IsCancellationRequested)
                    Report($"no stream to the supervisor: {(e is OperationCanceledException ? "no answer in time" : e.Message)}");
            }

            backoff.StreamEnded(time.GetElapsedTime(began));
            if (!cancellationToken.IsCancellationRequested)
                await Task.Delay(backoff.Next(), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task StreamAsync(CancellationToken cancellationToken)
    {
        var secrets = Secrets.Read(options.SecretDirectory);
        var endpoint = secrets.Endpoints[_endpoint++ % secrets.Endpoints.Count];
        using var handler = Handler(secrets, endpoint);
        // The name in the address is what TLS asks for (SNI); where it leads is the connect callback's business.
        using var channel = GrpcChannel.ForAddress($"https://{options.Gang}.{options.Namespace}.gang:{endpoint.Port}", new GrpcChannelOptions
        {
            HttpHandler = handler, MaxReceiveMessageSize = LargestMessage,
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = new Gateway.GatewayClient(channel).Connect(
            new Metadata { { "authorization", $"Bearer {secrets.Token}" } }, cancellationToken: stop.Token);
        stop.CancelAfter(WelcomeLimit);
        // Connected first: what the hello says must not have waited for a handshake. A supervisor that sends no headers gets it all the same.
        await ((Task)call.ResponseHeadersAsync).WaitAsync(HeadersLimit, time, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var outbound = Channel.CreateUnbounded<AgentMessage>(new UnboundedChannelOptions { SingleReader = true });
        var first = await hello().ConfigureAwait(false);
        outbound.Writer.TryWrite(new AgentMessage { Hello = first });
        _outbound = outbound;
        // Whatever changed between the hello and this line would be lost otherwise: say the state once more after it.
        var late = await hello().ConfigureAwait(false);
        outbound.Writer.TryWrite(new AgentMessage { State = late.State });
        var beats = new Heartbeats(time, fence, stop.Cancel);
        var sender = SendAllAsync(call.RequestStream, outbound.Reader, stop.Token);
        var beating = Task.CompletedTask;
        var connected = false;
        try
        {
            await foreach (var message in call.ResponseStream.ReadAllAsync(stop.Token).ConfigureAwait(false))
            {
                if (message.Term < first.Term)
                    throw new InvalidDataException($"its term {message.Term} is over: this Pod knows of term {first.Term}");
                if (!connected && (message.KindCase != SupervisorMessage.KindOneofCase.Welcome || message.PodUid != first.PodUid))
                    throw new InvalidDataException($"it begins with a {message.KindCase} for Pod {message.PodUid} and not with a welcome for {first.PodUid}");
                if (!connected)
                {
                    stop.CancelAfter(Timeout.InfiniteTimeSpan);
                    connected = true;
                    if (_problems.Count > 0)
                        Log.Write("connected to the supervisor");
                    _problems.Clear();
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

    private async Task SendAllAsync(IClientStreamWriter<AgentMessage> stream, ChannelReader<AgentMessage> messages, CancellationToken cancellationToken)
    {
        await foreach (var message in messages.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            message.SentUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds();
            await stream.WriteAsync(message, cancellationToken).ConfigureAwait(false);
        }

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
            // Who signed it counts for nothing here; so the machine's certificate store need not be read.
            CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true },
        },
    };

    private void Report(string problem)
    {
        // One line for each problem that is new since there was a stream, not one for each try: of two endpoints each may have its own.
        if (!_leaving && _problems.Count < MostProblems && _problems.Add(problem))
            Log.Write(problem);
    }
}
