using System.Diagnostics;
using System.Reactive.Subjects;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor;

/// <summary>Leads one gang, term after term, until it is over.</summary>
internal sealed class GangRunner : IAsyncDisposable
{
    /// <summary>Before the gang is taken over once more, when the cluster failed us.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly IGangClusterFactory _clusters;
    private readonly IAgentGateway _gateway;
    private readonly UserDetectors _detectors;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly GangTelemetry _telemetry;
    private readonly ReplaySubject<GangEvent> _subject = new(1024);
    private readonly Channel<GangEvent> _events = Channel.CreateUnbounded<GangEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _bound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<GangResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _disposing = new();
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Standing _standing = new(null, null);

    /// <summary>That of the last term, when there is none now: what it saw last is still told.</summary>
    private volatile GangLoop? _loop;
    private CancellationToken _lifetime;
    private Task _running = Task.CompletedTask;

    public GangRunner(GangSpec spec, IGangClusterFactory clusters, IAgentGateway gateway, UserDetectors detectors, TimeProvider time, ILogger log)
    {
        Spec = spec;
        _clusters = clusters;
        _gateway = gateway;
        _detectors = detectors;
        _time = time;
        _log = log;
        _telemetry = new GangTelemetry(spec.Name, log, () => IsLeading ? _loop?.State : null, time);
        Handle = new GangHandle(this);
    }

    public GangSpec Spec { get; }
    public GangHandle Handle { get; }
    public bool IsLeading => _standing.Loop is not null;
    public IObservable<GangEvent> Events => _subject;
    public Task<GangResult> Completion => _completion.Task;

    public RecoveryTiming? LastTiming => _loop?.State is { } state ? state.Timing ?? state.LastTiming : null;

    public GangStatus Status
    {
        get
        {
            if (_loop?.State is not { } state) return new GangStatus(GangPhase.Pending, 0, [], null);
            var workers = state.Workers.Select((name, rank) => GangDraft.Status(state.Pods[name], rank));
            var spares = state.Pods.Values.Where(p => p.Worker is null && !p.Doomed).OrderBy(p => p.Name, StringComparer.Ordinal)
                .Select(p => GangDraft.Status(p, -1));
            return new GangStatus(state.Phase, state.Attempt, [.. workers, .. spares], state.Outcome) { Quarantined = state.Quarantined };
        }
    }

    /// <summary>Returns when this process leads the gang; throws what kept it from that.</summary>
    public async Task StartAsync(CancellationToken lifetime, CancellationToken cancellationToken)
    {
        _lifetime = lifetime;
        _running = RunAsync(lifetime);
        await _bound.Task.WaitAsync(cancellationToken);
    }

    /// <summary>For what has no meaning once the gang is over.</summary>
    /// <exception cref="SupervisorException">This process does not lead the gang.</exception>
    public void Post(GangInput input)
    {
        if (!TryPost(input) && !IsOver) throw NotLeading(_standing);
    }

    public void Report(Failure failure)
    {
        ReportCheck.Run(Spec, failure);
        Post(new FailureReported(failure));
    }

    /// <summary>For who is heard in each process: false if this one does not lead.</summary>
    public bool TryReport(Failure failure)
    {
        ReportCheck.Run(Spec, failure);
        return TryPost(new FailureReported(failure));
    }

    /// <summary>Asks in each term anew: a term may end before the gang does.</summary>
    public async Task<GangResult> StopAsync(string reason, CancellationToken cancellationToken)
    {
        while (!Completion.IsCompleted)
        {
            var standing = _standing;
            if (standing.Leader is not null) throw NotLeading(standing);
            standing.Loop?.TryPost(new StopRequested(reason));
            await Task.WhenAny(Completion, standing.Over).WaitAsync(cancellationToken);
        }

        if (Completion.IsCanceled) throw NotLeading(_standing);
        return await Completion;
    }

    /// <summary>Waits until this process has given up all that it had to lead the gang.</summary>
    public Task LeftAsync(CancellationToken cancellationToken) => _left.Task.WaitAsync(cancellationToken);

    private bool IsOver => Completion.IsCompletedSuccessfully || _loop?.State.Stage == Stage.Ended;

    private bool TryPost(GangInput input) => _standing.Loop?.TryPost(input) == true;

    private void Stand(GangLoop? loop, string? leader)
    {
        var before = _standing;
        if (before.Loop == loop && before.Leader == leader) return;
        _standing = new Standing(loop, leader);
        before.End();
    }

    private SupervisorException NotLeading(Standing standing) => new($"Gang '{Spec.Name}' in namespace '{Spec.Namespace}' is not led by this process: " + (
        standing.Leader is { } leader ? $"{leader} holds its Lease. Ask there."
        : Completion.Exception?.InnerException is { } error ? $"its supervision has ended here by an error ({error.Message}). Launch it again."
        : _lifetime.IsCancellationRequested || _disposing.IsCancellationRequested ? "the host has been stopped, and the gang goes on without it."
        : "its Lease is not held here at this moment, and nobody else is known to hold it; try again soon."));

    public RecoveryPlan Explain(Failure failure)
    {
        var state = _loop?.State ?? throw new SupervisorException($"Gang '{Spec.Name}' is not led by this process yet.");
        return GangMachine.Explain(state, failure, _time.GetUtcNow());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_disposing.IsCancellationRequested) await _disposing.CancelAsync();
        await _running;
        // Also of one that was never started.
        _telemetry.Dispose();
    }

    private async Task RunAsync(CancellationToken lifetime)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(lifetime, _disposing.Token);
        // Whatever activity the launcher launched in is long over when something fails: each recovery is a trace of its own.
        Activity.Current = null;
        var pump = PumpAsync();
        try
        {
            while (!await LeadAsync(linked.Token))
            {
                // Leadership was lost; wait for it again.
            }
        }
        catch (OperationCanceledException) when (linked.IsCancellationRequested)
        {
            _bound.TrySetCanceled(CancellationToken.None);
            _completion.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception e)
        {
            // The edge of the gang's loop: whatever it is, the launcher is told through the handle.
            if (!_bound.TrySetException(e)) Log.SupervisionEnded(_log, e, Spec.Name);
            _completion.TrySetException(e);
            _ = _completion.Task.Exception;
        }
        finally
        {
            _left.TrySetResult();
            _events.Writer.TryComplete();
            await pump;
            _telemetry.Dispose();
        }
    }

    private async Task<bool> LeadAsync(CancellationToken cancellationToken)
    {
        var endpoint = await _gateway.GetEndpointAsync(cancellationToken);
        await using var term = await _clusters.Leadership.AcquireAsync(Spec, leader => Stand(null, leader), cancellationToken);
        // Whoever led before does not any more.
        Stand(null, null);
        await using var cluster = _clusters.Create();
        GangBinding binding;
        try
        {
            if (_loop is { } before && !await cluster.ExistsAsync(Spec, cancellationToken))
            {
                // Whoever led in between, or somebody by hand, has ended it: to start it anew would be the opposite of what was asked for.
                _completion.TrySetResult(new GangResult(GangPhase.Stopped, "the gang record was deleted by somebody else", before.State.Attempt));
                return true;
            }

            binding = await cluster.BindAsync(Spec, endpoint, cancellationToken);
        }
        catch (SupervisorException e) when (e is not RejectedException && _loop is not null)
        {
            Log.LeadershipLost(_log, Spec.Name, e.Message);
            await Task.Delay(Pause, _time, cancellationToken);
            return false;
        }

        var now = _time.GetUtcNow();
        var state = binding.Record is { Phase: not GangPhase.Pending } record
            ? GangMachine.Resume(Spec, term.Term, binding.RestartsInPlace, record, now)
            : GangMachine.Start(Spec, term.Term, binding.RestartsInPlace, now);
        Log.Leading(_log, Spec.Name, term.Term, state.Attempt, state.Phase);

        await using var loop = new GangLoop(state, cluster, _time, e => _events.Writer.TryWrite(e));
        await using var agents = _gateway.Serve(Spec, term.Term, binding.Credentials, loop.Post);
        using var lead = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, term.Lost);
        // At once, and not when all has been put down: what is said from here on would be lost.
        await using var closing = lead.Token.Register(loop.Close);
        _loop = loop;
        Stand(loop, null);
        _bound.TrySetResult();
        using var watching = _detectors.Watch(Handle, TryReport, _log);
        try
        {
            await loop.RunAsync(agents, lead.Token);
        }
        catch (OperationCanceledException) when (term.Lost.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            Log.LeadershipLost(_log, Spec.Name, "its Lease could not be renewed in time");
            return false;
        }
        catch (RecordConflictException e)
        {
            Log.LeadershipLost(_log, Spec.Name, e.Message);
            return false;
        }
        finally
        {
            Stand(null, null);
        }

        var end = loop.State;
        _completion.TrySetResult(new GangResult(end.Phase, end.Outcome ?? "", end.Attempt));
        return true;
    }

    /// <summary>Users' observers run here and not in the gang's loop: a slow or faulty one delays no recovery.</summary>
    private async Task PumpAsync()
    {
        await foreach (var happened in _events.Reader.ReadAllAsync())
        {
            try
            {
                _telemetry.Observe(happened);
                _subject.OnNext(happened);
            }
            catch (Exception e)
            {
                Log.ObserverFailed(_log, e, Spec.Name);
            }
        }

        _subject.OnCompleted();
    }
}
