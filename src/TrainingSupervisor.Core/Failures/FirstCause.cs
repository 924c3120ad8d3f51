using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>
/// Which of many failures came first. Each is given a number of seconds, the least is the cause: how long after the first sign of trouble it
/// happened at the latest doubt in its favour, and how much its kind and its words make it a consequence. So a lost node beats the connection
/// error of a peer whose clock is ahead, and an error of a minute later beats nobody.
/// </summary>
internal static class FirstCause
{
    /// <summary>A peer's failure that says itself that another one is to blame.</summary>
    private const double Consequence = 10;

    /// <summary>It breaks nothing: the worker trains on.</summary>
    private const double Harmless = 30;

    private const int Crowd = 3;

    /// <summary>The likeliest first cause comes first.</summary>
    /// <param name="failures">All that is known, in any order.</param>
    /// <param name="consequenceCodes">Exit codes by which workers say that a peer is to blame.</param>
    public static ImmutableArray<Failure> Rank(IEnumerable<Failure> failures, ImmutableArray<int> consequenceCodes)
    {
        var all = failures.ToList();
        if (all.Count < 2) return [.. all];
        var breaking = all.Where(f => f.Kind is not (FailureKind.NodeDraining or FailureKind.Straggler)).ToList();
        var start = (breaking.Count > 0 ? breaking : all).Min(f => f.At);
        var marks = all.ConvertAll(f => f.Mark ?? MarkOf(f, consequenceCodes));
        var crowds = Crowds(all, marks);
        return
        [
            .. all.Select((f, i) => (Failure: f, Seconds: Late(f, start) + Weight(f, marks[i], breaking) + CrowdWeight(marks[i], crowds)))
                .OrderBy(x => x.Seconds).ThenBy(x => x.Failure.At).Select(x => x.Failure),
        ];
    }

    /// <summary>How far this failure's time may be off, where nobody has said so.</summary>
    public static TimeSpan UncertaintyOf(Failure failure) => failure.SeenBy switch
    {
        // A clock that is right by a quarter of a second: see ClockOffset.
        "agent" or "worker" or "log pattern" => TimeSpan.FromMilliseconds(250),
        // Checks run every so often.
        "health command" => TimeSpan.FromSeconds(30),
        // The kubelet looks once a second, and its status takes its way.
        "pod status" => TimeSpan.FromSeconds(2),
        // Dated by the last sign of life, the next one of which was missed.
        "node lease" => TimeSpan.FromSeconds(2),
        // Health systems look every minute or so.
        "node" or "node condition" or "node taint" or FailureTraits.PodAnnotation or FailureTraits.NodeAnnotation => TimeSpan.FromMinutes(1),
        _ => TimeSpan.FromSeconds(1),
    };

    /// <summary>What its words say, which need be read only once: many failures are ranked many times.</summary>
    public static FailureMark MarkOf(Failure failure, ImmutableArray<int> consequenceCodes) =>
        new(IsConsequence(failure, consequenceCodes), ConsequenceText.IsOfItsOwnDevice(failure.StderrTail), Signature(failure));

    private static bool IsConsequence(Failure failure, ImmutableArray<int> consequenceCodes)
    {
        if (failure.ExitCode is { } code && consequenceCodes.Contains(code)) return true;
        return failure.Kind switch
        {
            FailureKind.ApplicationError or FailureKind.HealthCheckFailed => ConsequenceText.IsIn(failure.StderrTail, failure.Evidence),
            // Programs abort themselves, and are ended by their launchers; others signals come from elsewhere, whatever they said before.
            FailureKind.Killed when failure.Signal is 6 or 13 or 15 => ConsequenceText.IsIn(failure.StderrTail, ""),
            // These say that something did not happen.
            FailureKind.Hang or FailureKind.BarrierTimeout or FailureKind.StartTimeout or FailureKind.RestartStuck or FailureKind.Unschedulable => true,
            _ => false,
        };
    }

    private static double Late(Failure failure, DateTimeOffset start) =>
        Math.Max(0, (failure.At - failure.Uncertainty - start).TotalSeconds);

    private static double Weight(Failure failure, FailureMark mark, List<Failure> breaking)
    {
        if (mark.IsConsequence) return Consequence;
        return failure.Kind switch
        {
            FailureKind.Straggler => Harmless,
            // Who is told to go and then ends has ended for that.
            FailureKind.NodeDraining => !failure.CanWait && breaking.Any(f => f.Node == failure.Node && f.Node is not null) ? 0 : Harmless,
            FailureKind.Killed or FailureKind.ApplicationError when mark.IsOfItsOwnDevice => 0.25,
            // Watchdogs abort, and launchers terminate what is left.
            FailureKind.Killed => failure.Signal switch { 6 => 3, 1 or 2 or 13 or 15 => 4, _ => 0.5 },
            FailureKind.HealthCheckFailed or FailureKind.AgentLost => 0.5,
            // What interpreters end with after any error is 1; another code was chosen by the program.
            FailureKind.ApplicationError => failure.StderrTail.Length > 0 || failure.ExitCode is not (null or 1) ? 1 : 2.5,
            FailureKind.UnorderedRestart => 3,
            _ => 0,
        };
    }

    /// <summary>One cause has many consequences: what many workers say in the same words is hardly the cause, if anybody says something else.</summary>
    private static double CrowdWeight(FailureMark mark, Dictionary<string, int> crowds) =>
        !mark.IsConsequence && crowds.Count > 1 && mark.Signature is { } signature && crowds[signature] is var count && count >= Crowd ? Math.Min(4, Math.Log(count)) : 0;

    private static Dictionary<string, int> Crowds(List<Failure> all, List<FailureMark> marks) =>
        all.Select((f, i) => (Mark: marks[i], f.Kind)).Where(x => !x.Mark.IsConsequence).CountBy(x => x.Mark.Signature ?? x.Kind.ToString()).ToDictionary();

    /// <summary>How it failed, without what differs from worker to worker; null for kinds that are known from outside.</summary>
    private static string? Signature(Failure failure) =>
        failure.Kind is FailureKind.ApplicationError or FailureKind.Killed or FailureKind.HealthCheckFailed
            ? $"{failure.Kind} {failure.ExitCode} {failure.Signal} {ConsequenceText.Normal(ConsequenceText.LastError(failure.StderrTail))}"
            : null;
}

/// <summary>What a failure's own words say of it.</summary>
/// <param name="IsConsequence">Another one is to blame.</param>
/// <param name="IsOfItsOwnDevice">It names an error of its own device.</param>
/// <param name="Signature">How it failed, without what differs from worker to worker; null for kinds that are known from outside.</param>
internal sealed record FailureMark(bool IsConsequence, bool IsOfItsOwnDevice, string? Signature);
