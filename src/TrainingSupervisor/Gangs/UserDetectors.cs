using System.Reactive.Concurrency;
using System.Reactive.Disposables;
using System.Reactive.Linq;
using Microsoft.Extensions.Logging;

namespace TrainingSupervisor;

/// <summary>The detectors that users have added to the host. One that is slow or throws harms neither the gang nor the others.</summary>
internal sealed class UserDetectors(IEnumerable<IFailureDetector> detectors, IScheduler? scheduler = null)
{
    private readonly IFailureDetector[] _detectors = [.. detectors];

    /// <summary>All of them watch this gang until that is disposed.</summary>
    /// <param name="gang">The gang.</param>
    /// <param name="report">Takes what they say; false while this process does not lead: then the leader's own detector says it there.</param>
    /// <param name="log">Where their mistakes go.</param>
    public IDisposable Watch(GangHandle gang, Func<Failure, bool> report, ILogger log) => new CompositeDisposable(_detectors.Select(detector =>
    {
        var name = detector.GetType().Name;
        void Failed(Exception e) => Log.DetectorFailed(log, e, gang.Name, name);
        return Observable.Defer(() => detector.Watch(gang) ?? throw new InvalidOperationException($"{name}.Watch returned nothing to subscribe to.")).SubscribeOn(scheduler ?? TaskPoolScheduler.Default).Subscribe(
            failure =>
            {
                try
                {
                    if (!report(failure.SeenBy.Length > 0 ? failure : failure with { SeenBy = name })) Log.ReportLeftAside(log, gang.Name, name);
                }
                catch (Exception e)
                {
                    // The edge to a user's code: what it names wrongly must not end what it names next.
                    Failed(e);
                }
            },
            Failed);
    }));
}
