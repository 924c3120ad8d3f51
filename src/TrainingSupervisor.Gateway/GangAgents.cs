using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Gateway;

/// <summary>The agents of one gang for one term.</summary>
internal sealed class GangAgents : IGangAgents
{
    private static readonly TimeSpan DrainPatience = TimeSpan.FromMilliseconds(500), EndPatience = TimeSpan.FromSeconds(1);

    private readonly Action<GangInput> _sink;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Turnaways _turnaways;
    private readonly Action<GangAgents> _disposed;
    private readonly StallWatch _stalls;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _sweep;

    // The sink is called under this lock, against the rule: which stream is a Pod's, and what was last said of it, must be one order.
    // It only writes to a channel.
    private readonly Lock _gate = new();
    private readonly Dictionary<string, AgentConnection> _connections = [];
    private Task? _disposing;

    public GangAgents(
        GangSpec spec, long term, GangCredentials credentials, Action<GangInput> sink, TimeProvider time, ILogger log, Turnaways turnaways, Action<GangAgents> disposed)
    {
        Spec = spec;
        Term = term;
        _sink = sink;
        _time = time;
        _log = log;
        _turnaways = turnaways;
        _disposed = disposed;
        Token = new GangToken(credentials.Token);
        Certificate = Read(credentials, spec.Name);
        Silence = TimeSpan.FromSeconds(Math.Max(1, 3 * spec.HeartbeatInterval.TotalSeconds));
        _stalls = new StallWatch(time, Silence / 2);
        // One timer for the whole gang, however many agents.
        _sweep = time.CreateTimer(_ => Sweep(), null, spec.HeartbeatInterval, spec.HeartbeatInterval);
    }

    public GangSpec Spec { get; }
    public long Term { get; }
    public GangToken Token { get; }
    public SslStreamCertificateContext Certificate { get; }

    /// <summary>An agent that says nothing for so long has lost its stream.</summary>
    public TimeSpan Silence { get; }

    public async Task RunAsync(
        Hello hello, long sentUnixMs, IAsyncStreamReader<AgentMessage> reader, IServerStreamWriter<SupervisorMessage> writer, Action abort, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        using var connection = new AgentConnection(hello, _time, linked);
        var now = _time.GetUtcNow();
        connection.Clock.Add(sentUnixMs, now);
        Send(connection, new SupervisorMessage { Welcome = Welcomes.For(Spec, hello.Role) });
        Enter(connection, now);
        var sending = connection.PumpAsync(writer, linked.Token);
        try
        {
            while (await reader.MoveNext(linked.Token)) Take(connection, reader.Current);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or RpcException { StatusCode: StatusCode.ResourceExhausted })
        {
            _turnaways.Note("unreadable", $"Pod {hello.PodName}", $"what its agent sent is not readable: {(e is RpcException r ? r.Status.Detail : e.Message)}");
            connection.Close();
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException or RpcException)
        {
            // The stream is over, whoever ended it; what that means is decided elsewhere.
        }
        finally
        {
            var broken = connection.Broken;
            connection.Close();
            Leave(connection);
            // Whoever does not read would hold the call open.
            if (broken) abort();
            await sending;
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
        var roster = new RosterBytes(command.Roster);
        foreach (var target in command.Targets)
        {
            Send(target.PodUid, c => new SupervisorMessage { Release = roster.For(target, command.Attempt, c.Hello.ReadsGzip) }, nameof(SupervisorMessage.Release));
        }
    }

    public void Tell(TellRoster command)
    {
        var roster = new RosterBytes(command.Roster);
        foreach (var target in command.Targets)
        {
            Send(target.PodUid, c => new SupervisorMessage { RosterUpdate = roster.For(target, command.Roster.Attempt, c.Hello.ReadsGzip) }, nameof(SupervisorMessage.RosterUpdate));
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

    public void Run(Engine.RunCommand command) => Send(command.PodUid, new SupervisorMessage
    {
        RunCommand = new Protocol.RunCommand { Id = command.Id, Argv = { command.Command }, TimeoutMs = (int)Math.Min(command.Timeout.TotalMilliseconds, int.MaxValue) },
    });

    public ValueTask DisposeAsync()
    {
        lock (_gate) return new ValueTask(_disposing ??= StopAsync());
    }

    /// <summary>Undoes the making of one that was never served.</summary>
    public void Abandon()
    {
        _sweep.Dispose();
        _stopping.Dispose();
    }

    private async Task StopAsync()
    {
        await Task.Yield();
        // What was said last, a halt above all, should still reach the agents.
        await Task.WhenAll(Connections().Select(c => c.DrainAsync(DrainPatience)));
        await _stopping.CancelAsync();
        await _sweep.DisposeAsync();
        await Task.WhenAll(Connections().Select(c => c.EndedAsync(EndPatience)));
        _disposed(this);
    }

    private void Enter(AgentConnection connection, DateTimeOffset now)
    {
        AgentConnection? replaced;
        var hello = connection.Hello;
        lock (_gate)
        {
            replaced = _connections.GetValueOrDefault(hello.PodUid);
            _connections[hello.PodUid] = connection;
            Say(Reports.Seen(connection, hello.State, now));
            if (hello.Progress is { } progress) Say(Reports.Progressed(hello, progress));
        }

        replaced?.Close();
    }

    private void Leave(AgentConnection connection)
    {
        var hello = connection.Hello;
        _stalls.Look(regular: false);
        lock (_gate)
        {
            if (!IsCurrent(connection)) return;
            _connections.Remove(hello.PodUid);
            Say(new AgentGone(hello.PodName, hello.PodUid, hello.Instance, _stalls.LastSign(connection.LastSign)));
        }
    }

    private void Take(AgentConnection connection, AgentMessage message)
    {
        var now = _time.GetUtcNow();
        connection.NoteSign();
        connection.Clock.Add(message.SentUnixMs, now);
        var hello = connection.Hello;
        switch (message.KindCase)
        {
            case AgentMessage.KindOneofCase.Heartbeat:
                Send(connection, new SupervisorMessage { Ack = new HeartbeatAck { Sequence = message.Heartbeat.Sequence } });
                return;
            case AgentMessage.KindOneofCase.State:
                Report(connection, Reports.Seen(connection, message.State, now));
                return;
            case AgentMessage.KindOneofCase.Progress:
                Report(connection, Reports.Progressed(hello, message.Progress));
                return;
            case AgentMessage.KindOneofCase.Quiesced:
                Report(connection, Reports.Quiesced(hello, message.Quiesced));
                return;
            case AgentMessage.KindOneofCase.CommandResult:
                Report(connection, Reports.Ran(hello, message.CommandResult));
                return;
            case AgentMessage.KindOneofCase.Refused:
                Report(connection, Reports.Refused(hello, message.Refused));
                return;
        }
    }

    /// <summary>Unless a later stream of the same Pod speaks already: what is left in this one is old.</summary>
    private void Report(AgentConnection connection, GangInput input)
    {
        lock (_gate)
        {
            if (IsCurrent(connection)) Say(input);
        }
    }

    private void Say(GangInput input)
    {
        if (!_stopping.IsCancellationRequested) _sink(input);
    }

    private bool IsCurrent(AgentConnection connection) =>
        _connections.TryGetValue(connection.Hello.PodUid, out var current) && ReferenceEquals(current, connection);

    private AgentConnection[] Connections()
    {
        lock (_gate) return [.. _connections.Values];
    }

    private void Send(string podUid, SupervisorMessage message) => Send(podUid, _ => message, message.KindCase.ToString());

    private void Send(string podUid, Func<AgentConnection, SupervisorMessage> message, string what)
    {
        AgentConnection? connection;
        lock (_gate) connection = _connections.GetValueOrDefault(podUid);
        if (connection is not null) Send(connection, message(connection));
        else Log.NotConnected(_log, Spec.Name, what, podUid);
    }

    private void Send(AgentConnection connection, SupervisorMessage message)
    {
        message.Term = Term;
        message.PodUid = connection.Hello.PodUid;
        if (connection.TrySend(message)) return;
        Log.Slow(_log, Spec.Name, connection.Hello.PodName, AgentConnection.MostWaiting);
        connection.Close();
    }

    private void Sweep()
    {
        if (_stalls.Look(regular: true) is { } away) Log.Stalled(_log, Spec.Name, away.TotalSeconds);
        foreach (var connection in Connections())
        {
            var silent = _stalls.Silence(connection.Heard);
            if (silent < Silence || connection.Broken) continue;
            Log.Silent(_log, Spec.Name, connection.Hello.PodName, silent.TotalSeconds);
            connection.Close();
        }
    }

    private static SslStreamCertificateContext Read(GangCredentials credentials, string gang)
    {
        try
        {
            using var pem = X509Certificate2.CreateFromPem(credentials.CertificatePem, credentials.PrivateKeyPem);
            // Made once for all handshakes; offline, since there is no issuer to ask.
            return SslStreamCertificateContext.Create(X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null), null, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new SupervisorException($"The certificate in the Secret of gang '{gang}' cannot be used: {e.Message}", e);
        }
    }
}
