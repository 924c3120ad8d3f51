namespace TrainingSupervisor;

/// <summary>
/// A detector of yours: it watches what the library knows nothing of (device counters, a fabric manager, a log service) and says what has failed.
/// Add it to the host's services, as <c>services.AddSingleton&lt;IFailureDetector, MyDetector&gt;()</c>; it then serves every gang that the host launches.
/// What it says is gathered, ranked for the first cause and answered by the policy like what the built-in detectors find. A single report needs no
/// detector: <see cref="GangHandle.ReportFailure"/>.
/// </summary>
public interface IFailureDetector
{
    /// <summary>
    /// Failures of this gang, from now on. Subscribed to while this process leads the gang, on a thread of the pool, and unsubscribed from when it does
    /// not any more or the gang is over. An error ends this detector for this gang and is logged (event 1006); all else goes on.
    /// </summary>
    /// <param name="gang">The gang: its status says which workers are in which Pods, on which nodes, and its events tell every change.</param>
    /// <returns>Failures, each with what is known of where: see <see cref="GangHandle.ReportFailure"/>. <see cref="Failure.SeenBy"/> is the detector's type name if it is left empty.</returns>
    IObservable<Failure> Watch(GangHandle gang);
}
