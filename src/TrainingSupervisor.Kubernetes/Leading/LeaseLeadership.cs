using System.Net;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Leadership by a Lease. Whether another's Lease has run out is judged by how long WE have seen it unchanged, so that clocks need not agree.
/// </summary>
internal sealed class LeaseLeadership(IKubernetes client, ApiCalls calls, KubernetesOptions options, TimeProvider time, ILogger log) : IGangLeadership
{
    public async Task<IGangTerm> AcquireAsync(GangSpec spec, CancellationToken cancellationToken)
    {
        var name = Names.Record(spec);
        string? seen = null;
        var since = time.GetTimestamp();
        var told = false;
        while (true)
        {
            var lease = await calls.RunAsync(Can("get", spec), HttpStatusCode.NotFound, t => client.CoordinationV1.ReadNamespacedLeaseAsync(name, spec.Namespace, cancellationToken: t), cancellationToken);
            if (lease is null)
            {
                var made = new V1Lease { Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = spec.Namespace }, Spec = Mine(1) };
                if (await calls.RunAsync(Can("create", spec), HttpStatusCode.Conflict, t => client.CoordinationV1.CreateNamespacedLeaseAsync(made, spec.Namespace, cancellationToken: t), cancellationToken) is { } created)
                {
                    return new GangTerm(this, spec, created);
                }

                continue;
            }

            var state = $"{lease.Spec.HolderIdentity} {lease.Spec.RenewTime:O} {lease.Spec.LeaseTransitions}";
            if (state != seen) (seen, since) = (state, time.GetTimestamp());
            var free = string.IsNullOrEmpty(lease.Spec.HolderIdentity) || lease.Spec.HolderIdentity == options.Identity
                || time.GetElapsedTime(since) >= TimeSpan.FromSeconds(lease.Spec.LeaseDurationSeconds ?? 15);
            if (free)
            {
                lease.Spec = Mine((lease.Spec.LeaseTransitions ?? 0) + 1);
                if (await WriteAsync(spec, lease, cancellationToken) is { } taken) return new GangTerm(this, spec, taken);
                continue;
            }

            if (!told) Log.WaitingToLead(log, spec.Name, lease.Spec.HolderIdentity);
            told = true;
            await Task.Delay(options.LeaseDuration / 7, time, cancellationToken);
        }
    }

    private V1LeaseSpec Mine(int transitions)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return new V1LeaseSpec
        {
            HolderIdentity = options.Identity,
            LeaseDurationSeconds = (int)Math.Max(1, Math.Ceiling(options.LeaseDuration.TotalSeconds)),
            LeaseTransitions = transitions,
            AcquireTime = now,
            RenewTime = now,
        };
    }

    private async Task<V1Lease?> WriteAsync(GangSpec spec, V1Lease lease, CancellationToken cancellationToken) =>
        await calls.RunAsync(Can("update", spec), HttpStatusCode.Conflict,
            t => client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, lease.Metadata.Name, spec.Namespace, cancellationToken: t), cancellationToken);

    private static Permission Can(string verb, GangSpec spec) => new(verb, "leases", spec.Namespace, "coordination.k8s.io");

    private sealed class GangTerm : IGangTerm
    {
        private readonly LeaseLeadership _owner;
        private readonly GangSpec _spec;
        private readonly CancellationTokenSource _lost = new();
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _renewing;
        private V1Lease _lease;

        public GangTerm(LeaseLeadership owner, GangSpec spec, V1Lease lease)
        {
            _owner = owner;
            _spec = spec;
            _lease = lease;
            Lost = _lost.Token;
            _renewing = RenewAsync();
        }

        public long Term => _lease.Spec.LeaseTransitions ?? 1;
        public CancellationToken Lost { get; }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _renewing;
            if (!_lost.IsCancellationRequested)
            {
                try
                {
                    using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
                    _lease.Spec.HolderIdentity = "";
                    await _owner.WriteAsync(_spec, _lease, patience.Token);
                }
                catch (Exception e) when (e is SupervisorException or OperationCanceledException)
                {
                    // It runs out by itself.
                }
            }

            _lost.Dispose();
            _stopping.Dispose();
        }

        private async Task RenewAsync()
        {
            var duration = _owner.Options.LeaseDuration;
            var renewed = _owner.Time.GetTimestamp();
            try
            {
                while (true)
                {
                    await Task.Delay(duration / 3, _owner.Time, _stopping.Token);
                    // Others may take over after the whole duration: stop a little before.
                    var left = (duration * 0.9) - _owner.Time.GetElapsedTime(renewed);
                    var started = _owner.Time.GetTimestamp();
                    try
                    {
                        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                        patience.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1));
                        var next = _owner.Mine(_lease.Spec.LeaseTransitions ?? 1);
                        next.AcquireTime = _lease.Spec.AcquireTime;
                        var lease = new V1Lease { ApiVersion = "coordination.k8s.io/v1", Kind = "Lease", Metadata = _lease.Metadata, Spec = next };
                        if (await _owner.WriteAsync(_spec, lease, patience.Token) is not { } written) break;
                        _lease = written;
                        renewed = started;
                    }
                    catch (Exception e) when (e is SupervisorException || (e is OperationCanceledException && !_stopping.IsCancellationRequested))
                    {
                        if (_owner.Time.GetElapsedTime(renewed) >= duration * 0.9) break;
                    }
                }

                await _lost.CancelAsync();
            }
            catch (OperationCanceledException)
            {
                // Given up on purpose.
            }
        }
    }

    private KubernetesOptions Options => options;

    private TimeProvider Time => time;
}
