using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>The agents of one gang for one term.</summary>
internal sealed class GangAgents : IGangAgents
{
    /// <summary>Progress of an agent is sent at most so often.</summary>
    private const int ProgressMilliseconds = 50;

    private readonly GangSpec _spec;
    private readonly long _term;
    private readonly Action<GangInput> _sink;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Action<GangAgents> _disposed;
    private readonly ConcurrentDictionary<string, AgentConnection> _connections = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _sweep;

    public GangAgents(
        GangSpec spec, long term, GangCredentials credentials, Action<GangInput> sink, TimeProvider time, ILogger log, Action<GangAgents> disposed)
    {
        _spec = spec;
        _term = term;
        _sink = sink;
        _time = time;
        _log = log;
        _disposed = disposed;
        Authorization = Encoding.UTF8.GetBytes("Bearer " + credentials.Token);
        using var pem = X509Certificate2.CreateFromPem(credentials.CertificatePem, credentials.PrivateKeyPem);
        Certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        // One timer for the whole gang, however many agents.
        _sweep = time.CreateTimer(_ => Sweep(), null, spec.HeartbeatInterval, spec.HeartbeatInterval);
    }

    public byte[] Authorization { get; }
    public X509Certificate2 Certificate { get; }

    public TimeSpan Silence => TimeSpan.FromSeconds(Math.Max(1, 3 * _spec.HeartbeatInterval.TotalSeconds));

    public async Task RunAsync(Hello hello, IAsyncStreamReader<AgentMessage> reader, IServerStreamWriter<SupervisorMessage> writer, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        using var connection = new AgentConnection(hello, _time.GetUtcNow(), linked);
        AgentConnection? replaced = null;
        _connections.AddOrUpdate(hello.PodUid, connection, (_, old) =>
        {
            replaced = old;
            return connection;
        });
        replaced?.Close();
        Send(connection, new SupervisorMessage
        {
            Welcome = new Welcome
            {
                HeartbeatMs = (int)_spec.HeartbeatInterval.TotalMilliseconds,
                FenceMs = (int)_spec.Fence.TotalMilliseconds,
                ProgressMs = ProgressMilliseconds,
            },
        });
        var sending = connection.PumpAsync(writer, linked.Token);
        try
        {
            Say(connection, hello.State);
            if (hello.Progress is { } progress) Progressed(connection, progress);
            while (await reader.MoveNext(linked.Token)) Take(connection, reader.Current);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException)
        {
            // The stream is over, whoever ended it; what that means is decided elsewhere.
        }
        finally
        {
            connection.Close();
            await sending;
            var current = _connections.TryRemove(new(hello.PodUid, connection));
            if (current && !_stopping.IsCancellationRequested) _sink(new AgentGone(hello.PodName, hello.PodUid, hello.Instance, connection.LastSign));
        }
    }

    public void Restart(RestartWorker command) => Send(command.PodUid, new SupervisorMessage
    {
        Restart = new Restart
        {
            Attempt = command.Attempt,
            Mode = command.InPlace ? Protocol.Restart.Types.Mode.InPlace : Protocol.Restart.Types.Mode.Process,
            GraceMs = (int)command.Grace.TotalMilliseconds,
            Reason = command.Reason,
        },
    });

    public void Release(ReleaseGang command)
    {
        // Written once: the roster is the same for all, and grows with the gang.
        var roster = UnsafeByteOperations.UnsafeWrap(RosterJson.Write(command.Roster));
        foreach (var target in command.Targets)
        {
            Send(target.PodUid, new SupervisorMessage { Release = new Release { Attempt = command.Attempt, Rank = target.Rank, Roster = roster } });
        }
    }

    public void Quiesce(QuiesceWorker command) => Send(command.PodUid, new SupervisorMessage
    {
        Quiesce = new Quiesce { Attempt = command.Attempt, Signal = command.Signal, DeadlineMs = (int)command.Deadline.TotalMilliseconds },
    });

    public void Halt(HaltAgent command) => Send(command.PodUid, new SupervisorMessage
    {
        Halt = new Halt { ExitCode = command.ExitCode, GraceMs = (int)command.Grace.TotalMilliseconds, Reason = command.Reason },
    });

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested) return;
        // What was said last, a halt above all, should still reach the agents.
        await Task.WhenAll(_connections.Values.Select(c => c.DrainAsync(TimeSpan.FromMilliseconds(500))));
        await _stopping.CancelAsync();
        await _sweep.DisposeAsync();
        _disposed(this);
    }

    private void Take(AgentConnection connection, AgentMessage message)
    {
        connection.LastSign = _time.GetUtcNow();
        var hello = connection.Hello;
        switch (message.KindCase)
        {
            case AgentMessage.KindOneofCase.Heartbeat:
                Send(connection, new SupervisorMessage { Ack = new HeartbeatAck { Sequence = message.Heartbeat.Sequence } });
                break;
            case AgentMessage.KindOneofCase.State:
                Say(connection, message.State);
                break;
            case AgentMessage.KindOneofCase.Progress:
                Progressed(connection, message.Progress);
                break;
            case AgentMessage.KindOneofCase.Quiesced:
                _sink(new QuiesceAnswered(hello.PodName, hello.PodUid, message.Quiesced.Attempt, message.Quiesced.Saved));
                break;
            case AgentMessage.KindOneofCase.Refused:
                _sink(new AgentRefused(hello.PodName, hello.PodUid, message.Refused.Reason, message.Refused.Term, message.Refused.Attempt));
                break;
            default:
                break;
        }
    }

    private void Say(AgentConnection connection, AgentState? state)
    {
        var hello = connection.Hello;
        _sink(new AgentSeen(hello.PodName, hello.PodUid, hello.Role, hello.PodIp, hello.Node, new AgentObservation
        {
            Instance = hello.Instance,
            Phase = (AgentPhase)(state?.Phase ?? AgentState.Types.Phase.Unknown),
            Attempt = state?.Attempt ?? 0,
            Exit = state?.Exit is { } exit ? ExitOf(exit) : null,
        }));
    }

    private void Progressed(AgentConnection connection, Progress p) =>
        _sink(new ProgressSeen(connection.Hello.PodName, connection.Hello.PodUid, new ProgressObservation(p.Attempt, p.Step, p.Checkpoint, p.Phase, p.Unhealthy)));

    private static Observations.WorkerExit ExitOf(Protocol.WorkerExit exit) => new()
    {
        Code = exit.Code,
        Signal = exit.Signal,
        StderrTail = exit.StderrTail,
        NotStarted = exit.NotStarted,
        OutOfMemory = exit.OutOfMemory,
        Started = DateTimeOffset.FromUnixTimeMilliseconds(exit.StartedUnixMs),
        Ended = DateTimeOffset.FromUnixTimeMilliseconds(exit.EndedUnixMs),
    };

    private void Send(string podUid, SupervisorMessage message)
    {
        if (_connections.TryGetValue(podUid, out var connection)) Send(connection, message);
        else Log.NotConnected(_log, _spec.Name, message.KindCase.ToString(), podUid);
    }

    private void Send(AgentConnection connection, SupervisorMessage message)
    {
        message.Term = _term;
        message.PodUid = connection.Hello.PodUid;
        connection.Send(message);
    }

    private void Sweep()
    {
        var silent = _time.GetUtcNow() - Silence;
        foreach (var connection in _connections.Values.Where(c => c.LastSign < silent)) connection.Close();
    }
}
