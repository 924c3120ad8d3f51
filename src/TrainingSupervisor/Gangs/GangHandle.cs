using System.Reactive.Linq;

namespace TrainingSupervisor;

/// <summary>A gang that this process supervises.</summary>
public sealed class GangHandle
{
    private readonly GangRunner _runner;

    internal GangHandle(GangRunner runner) => _runner = runner;

    /// <summary>The gang's name.</summary>
    public string Name => _runner.Spec.Name;

    /// <summary>Namespaces may have gangs of one name.</summary>
    internal string FullName => $"{_runner.Spec.Namespace}/{_runner.Spec.Name}";

    /// <summary>The gang at this moment.</summary>
    public GangStatus Status => _runner.Status;

    /// <summary>Whether this process leads the gang; false while another holds its Lease.</summary>
    public bool IsLeading => _runner.IsLeading;

    /// <summary>Where the time of the recovery that is under way, or of the last one, has gone so far; null before the first.</summary>
    public RecoveryTiming? LastTiming => _runner.LastTiming;

    /// <summary>Everything that happens, from the launch on; a late subscriber is given the last 1,024 events first. Ends with the gang.</summary>
    public IObservable<GangEvent> Events => _runner.Events;

    /// <summary>The failures among <see cref="Events"/>.</summary>
    public IObservable<Failure> Failures => Events.OfType<FailureDetected>().Select(e => e.Failure);

    /// <summary>Completes when the gang has ended, or with an error when supervision itself cannot go on.</summary>
    public Task<GangResult> Completion => _runner.Completion;

    /// <summary>Waits until the gang has ended.</summary>
    /// <param name="cancellationToken">Ends the wait, not the gang.</param>
    public Task<GangResult> WaitAsync(CancellationToken cancellationToken = default) => Completion.WaitAsync(cancellationToken);

    /// <summary>
    /// Ends the workers and deletes the gang with all that belongs to it. Returns when that is done. Adopted Pods belong to their controller: their
    /// agents end with exit code 89, and what then becomes of them is for it to decide, so delete or suspend it first. A gang that has ended by itself
    /// is left as it is, and its result returned. While nobody is known to lead the gang, the request is kept until this process leads it again.
    /// </summary>
    /// <param name="reason">Why: it is the outcome that the result and the record tell, as a line of 1,000 characters at most.</param>
    /// <param name="cancellationToken">Ends the wait. A gang that has been told to stop still does.</param>
    /// <exception cref="SupervisorException">Another process leads the gang, which the message names, or has come to lead it before it ended; or this host has been stopped.</exception>
    public Task<GangResult> StopAsync(string reason = "stopped by the launcher", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reason);
        return _runner.StopAsync(reason, cancellationToken);
    }

    /// <summary>What the supervisor would do about this failure now, and why, without doing anything. The same code decides in earnest.</summary>
    /// <param name="failure">A failure that has happened or might.</param>
    public RecoveryPlan Explain(Failure failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return _runner.Explain(failure);
    }

    /// <summary>
    /// Asks for the workers that a shrunk gang does without (<see cref="RoleBuilder.WithMinWorkers"/>). The gang is interrupted once as many spares
    /// wait at the barrier as make a step upwards, and not before. Without effect on a gang that has all its workers, or has ended.
    /// </summary>
    /// <exception cref="SupervisorException">This process does not lead the gang; the message says who does, if that is known.</exception>
    public void RequestGrow() => _runner.Post(new Engine.GrowRequested());

    /// <summary>
    /// Reports a failure that something else has noticed, a health system for example. It is answered by the policy like any other. An
    /// <see cref="IFailureDetector"/> does this for every gang, in whichever process leads it. Without effect on a gang that has ended. What has been
    /// taken is told by <see cref="Events"/>, as a failure or a notice; repeat it if this process loses the gang before that.
    /// </summary>
    /// <param name="failure">
    /// The failure, with what is known of where: the Pod, the worker, or only the node, which stands for every worker on it. Without any of these it
    /// concerns the gang as a whole. One about a Pod that has been replaced by now is left aside, with a notice. Of its texts as much is kept as of those
    /// that the library finds itself: a line of 1,000 characters as evidence, the last 4,096 of stderr.
    /// </param>
    /// <exception cref="ArgumentException">The gang has no such worker, there is no such kind, or a text is null.</exception>
    /// <exception cref="SupervisorException">This process does not lead the gang; the message says who does, if that is known.</exception>
    public void ReportFailure(Failure failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        _runner.Report(failure);
    }
}
