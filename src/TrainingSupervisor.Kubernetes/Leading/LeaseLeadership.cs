using System.Net;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Leadership by a Lease. Whether another's Lease has run out is judged by how long WE have seen it unchanged, so that clocks need not agree.
/// The term is <c>leaseTransitions</c>, and at least the age of the Lease's creation in seconds by the API server's clock: so it grows even if
/// somebody deletes the Lease and a new one is made, and agents go on obeying.
/// </summary>
internal sealed class LeaseLeadership(IKubernetes client, ApiCalls patient, ApiCalls urgent, KubernetesOptions options, TimeProvider time, ILogger log) : IGangLeadership
{
    // leaseTransitions is a 32-bit number: from here it lasts until 2088.
    private static readonly DateTime Epoch = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    // Two processes of one name must not take each other's Lease for their own.
    private readonly string _holder = $"{options.Identity}_{Guid.NewGuid().ToString("N")[..8]}";

    // Nothing is lost while a server that has not answered yet is given time.
    private ApiCalls Calls => urgent.HasWorked ? urgent : patient;

    public async Task<IGangTerm> AcquireAsync(GangSpec spec, Action<string?> waiting, CancellationToken cancellationToken)
    {
        string? seen = null;
        var since = time.GetTimestamp();
        var told = false;
        while (true)
        {
            try
            {
                var lease = await ReadAsync(spec, cancellationToken) ?? await CreateAsync(spec, cancellationToken);
                if (lease is not null)
                {
                    var state = $"{lease.Metadata.Uid} {lease.Spec.HolderIdentity} {lease.Spec.RenewTime:O} {lease.Spec.LeaseTransitions}";
                    if (state != seen) (seen, since) = (state, time.GetTimestamp());
                    var unchanged = time.GetElapsedTime(since) >= TimeSpan.FromSeconds(lease.Spec.LeaseDurationSeconds ?? 15);
                    if (unchanged || await IsFreeAsync(spec, lease, cancellationToken))
                    {
                        if (await TakeAsync(spec, lease, cancellationToken) is { } term) return term;
                        continue;
                    }

                    waiting(string.IsNullOrEmpty(lease.Spec.HolderIdentity) ? null : lease.Spec.HolderIdentity);
                    if (!told) Log.WaitingToLead(log, spec.Name, lease.Spec.HolderIdentity ?? "(nobody yet)");
                    told = true;
                }
            }
            catch (SupervisorException e) when (e is not RejectedException && (urgent.HasWorked || patient.HasWorked))
            {
                // It worked before: the server is away for a while, and nobody else can take the Lease meanwhile.
                Log.LeaseTrouble(log, spec.Name, e.Message);
            }

            await Task.Delay(options.LeaseDuration / 7, time, cancellationToken);
        }
    }

    private Task<V1Lease?> ReadAsync(GangSpec spec, CancellationToken cancellationToken) =>
        Calls.RunAsync(Can("get", spec), HttpStatusCode.NotFound,
            t => client.CoordinationV1.ReadNamespacedLeaseAsync(Names.Record(spec), spec.Namespace, cancellationToken: t), cancellationToken);

    /// <summary>With no holder: what the term must be is known only when the server has put its time on it.</summary>
    private async Task<V1Lease?> CreateAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var lease = new V1Lease
        {
            Metadata = new V1ObjectMeta { Name = Names.Record(spec), NamespaceProperty = spec.Namespace },
            Spec = new V1LeaseSpec { LeaseDurationSeconds = Seconds, LeaseTransitions = 0 },
        };
        return await Calls.RunAsync(Can("create", spec), HttpStatusCode.Conflict,
            t => client.CoordinationV1.CreateNamespacedLeaseAsync(lease, spec.Namespace, cancellationToken: t), cancellationToken);
    }

    private async Task<bool> IsFreeAsync(GangSpec spec, V1Lease lease, CancellationToken cancellationToken)
    {
        if (lease.Spec.HolderIdentity == _holder) return true;
        if (!string.IsNullOrEmpty(lease.Spec.HolderIdentity)) return false;
        if (lease.Spec.LeaseTransitions > 0) return true;
        // A Lease that nobody has held yet. If the gang exists already, its Lease was deleted, and who led it may not know that yet.
        return await Calls.RunAsync(Permissions.Of("get", "configmaps", spec.Namespace), HttpStatusCode.NotFound,
            t => client.CoreV1.ReadNamespacedConfigMapAsync(Names.Record(spec), spec.Namespace, cancellationToken: t), cancellationToken) is null;
    }

    private async Task<GangTerm?> TakeAsync(GangSpec spec, V1Lease lease, CancellationToken cancellationToken)
    {
        var created = lease.Metadata.CreationTimestamp is { } at ? (int)(at.ToUniversalTime() - Epoch).TotalSeconds : 0;
        var started = time.GetTimestamp();
        lease.Spec = Mine(Math.Max((lease.Spec.LeaseTransitions ?? 0) + 1, created));
        return await WriteAsync(spec, lease, cancellationToken) is { } taken ? new GangTerm(this, spec, taken, started) : null;
    }

    private int Seconds => (int)Math.Max(1, Math.Ceiling(options.LeaseDuration.TotalSeconds));

    private V1LeaseSpec Mine(int transitions)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return new V1LeaseSpec
        {
            HolderIdentity = _holder,
            LeaseDurationSeconds = Seconds,
            LeaseTransitions = transitions,
            AcquireTime = now,
            RenewTime = now,
        };
    }

    private async Task<V1Lease?> WriteAsync(GangSpec spec, V1Lease lease, CancellationToken cancellationToken) =>
        await urgent.RunAsync(Can("update", spec), HttpStatusCode.Conflict,
            t => client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, lease.Metadata.Name, spec.Namespace, cancellationToken: t), cancellationToken);

    private static Permission Can(string verb, GangSpec spec) => Permissions.Of(verb, "leases", spec.Namespace);

    /// <summary>From taking the Lease until it is given up or lost.</summary>
    private sealed class GangTerm : IGangTerm
    {
        private readonly LeaseLeadership _owner;
        private readonly GangSpec _spec;
        private readonly CancellationTokenSource _lost;
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _renewing;
        private V1Lease _lease;
        private int _disposed;

        public GangTerm(LeaseLeadership owner, GangSpec spec, V1Lease lease, long started)
        {
            _owner = owner;
            _spec = spec;
            _lease = lease;
            Term = lease.Spec.LeaseTransitions ?? 1;
            // It ends by itself: nothing that hangs can keep us believing that we lead.
            _lost = new CancellationTokenSource(Left(started), owner.Time);
            Lost = _lost.Token;
            _renewing = RenewAsync();
        }

        public long Term { get; }
        public CancellationToken Lost { get; }

        public async ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
            await _stopping.CancelAsync();
            await _renewing;
            if (!_lost.IsCancellationRequested) await ReleaseAsync();
            _lost.Dispose();
            _stopping.Dispose();
        }

        /// <summary>Others may take over when the whole duration has passed since our write was stored: stop a little before, counted from its start.</summary>
        private TimeSpan Left(long started)
        {
            var left = (_owner.Options.LeaseDuration * 0.9) - _owner.Time.GetElapsedTime(started);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }

        private async Task ReleaseAsync()
        {
            try
            {
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2), _owner.Time);
                _lease.Spec.HolderIdentity = "";
                await _owner.WriteAsync(_spec, _lease, patience.Token);
            }
            catch (Exception e) when (e is SupervisorException or OperationCanceledException)
            {
                // It runs out by itself.
            }
        }

        private async Task RenewAsync()
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, _lost.Token);
            var wait = _owner.Options.LeaseDuration / 3;
            try
            {
                while (true)
                {
                    await Task.Delay(wait, _owner.Time, either.Token);
                    try
                    {
                        if (!await RenewOnceAsync(either.Token)) break;
                        wait = _owner.Options.LeaseDuration / 3;
                    }
                    catch (SupervisorException e) when (e.InnerException is k8s.Autorest.HttpOperationException { Response.StatusCode: HttpStatusCode.NotFound })
                    {
                        // Somebody deleted it: the next may make a new one and take it.
                        break;
                    }
                    catch (SupervisorException e)
                    {
                        // Not lost yet: others wait for the whole duration.
                        Log.LeaseTrouble(_owner.Logger, _spec.Name, e.Message);
                        wait = _owner.Options.LeaseDuration / 10;
                    }
                }

                await _lost.CancelAsync();
            }
            catch (OperationCanceledException)
            {
                // Given up on purpose, or the time is over.
            }
        }

        private async Task<bool> RenewOnceAsync(CancellationToken cancellationToken)
        {
            var started = _owner.Time.GetTimestamp();
            var spec = _owner.Mine((int)Term);
            spec.AcquireTime = _lease.Spec.AcquireTime;
            var lease = new V1Lease { ApiVersion = "coordination.k8s.io/v1", Kind = "Lease", Metadata = _lease.Metadata, Spec = spec };
            var written = await _owner.WriteAsync(_spec, lease, cancellationToken);
            if (written is null)
            {
                // Another has taken it, or the answer to our own write was lost and this was its repetition, or somebody touched a label.
                var now = await _owner.ReadAsync(_spec, cancellationToken);
                if (now is null || now.Spec.HolderIdentity != _owner._holder || now.Spec.LeaseTransitions != Term) return false;
                lease.Metadata = now.Metadata;
                written = await _owner.WriteAsync(_spec, lease, cancellationToken);
                if (written is null) return false;
            }

            _lease = written;
            _lost.CancelAfter(Left(started));
            return true;
        }
    }

    private KubernetesOptions Options => options;

    private TimeProvider Time => time;

    private ILogger Logger => log;
}
