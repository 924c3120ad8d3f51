using System.Threading.Channels;
using k8s.Models;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Kubernetes;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Tests;

/// <summary>A cluster in which nothing happens, and whose Lease is given and taken by the test.</summary>
internal sealed class FakeCluster : IGangClusterFactory, IGangLeadership
{
    private readonly Channel<Candidate> _candidates = Channel.CreateUnbounded<Candidate>();
    private volatile bool _held;
    private volatile bool _exists;

    public IGangLeadership Leadership => this;

    /// <summary>What the next term finds; null: the gang is new.</summary>
    public GangRecord? Record { get; set; }

    /// <summary>Why the next term cannot begin.</summary>
    public SupervisorException? Refusal { get; set; }

    /// <summary>How often a term was asked for before the one before it was given up.</summary>
    public int Overlaps { get; private set; }

    /// <summary>Leaders that wait, in the order in which they came.</summary>
    public ValueTask<Candidate> NextAsync() => _candidates.Reader.ReadAsync(new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token);

    public async Task<IGangTerm> AcquireAsync(GangSpec spec, Action<string?> waiting, CancellationToken cancellationToken)
    {
        if (_held) Overlaps++;
        var candidate = new Candidate(waiting, () => _held = false);
        _candidates.Writer.TryWrite(candidate);
        var term = await candidate.Term.WaitAsync(cancellationToken);
        _held = true;
        return term;
    }

    public IGangCluster Create() => new Idle(this);

    /// <summary>Somebody who wants to lead.</summary>
    internal sealed class Candidate(Action<string?> waiting, Action givenUp) : IGangTerm
    {
        private readonly TaskCompletionSource<IGangTerm> _term = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenSource _lost = new();

        public Task<IGangTerm> Term => _term.Task;
        public CancellationToken Lost => _lost.Token;
        long IGangTerm.Term => 1;

        /// <summary>What giving up the Lease waits for.</summary>
        public Task Slow { get; set; } = Task.CompletedTask;

        public void Lead() => _term.TrySetResult(this);

        public void SeesLeader(string? holder) => waiting(holder);

        public void Lose() => _lost.Cancel();

        public async ValueTask DisposeAsync()
        {
            await Slow;
            givenUp();
            _lost.Dispose();
        }
    }

    private sealed class Idle(FakeCluster owner) : IGangCluster
    {
        public Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken)
        {
            if (owner.Refusal is { } refusal) throw refusal;
            owner._exists = true;
            var secret = new V1Secret { Data = GangSecret.Create(spec, endpoint, DateTimeOffset.UtcNow) };
            return Task.FromResult(new GangBinding(owner.Record, GangSecret.Read(secret), false));
        }

        public Task<bool> ExistsAsync(GangSpec spec, CancellationToken cancellationToken) => Task.FromResult(owner._exists);

        public Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken)
        {
            sink(new CacheSynced());
            return Task.Delay(Timeout.Infinite, cancellationToken);
        }

        public Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken)
        {
            owner.Record = record;
            return Task.CompletedTask;
        }

        public Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task DeletePodAsync(GangSpec spec, string name, string uid, bool force, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task MarkNodeAsync(GangSpec spec, string node, bool quarantined, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken)
        {
            (owner.Record, owner._exists) = (null, false);
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
