namespace LocalTraining.Running;

/// <summary>One fault: it strikes while the rank works on the step.</summary>
internal sealed record Fault(FaultKind Kind, int Step, int Rank)
{
    // A straggler is made of 20 slow steps among its last 32, and the workers are looked at every few steps.
    private const int SlowFrom = 5;
    private const int SlowSteps = 55;

    /// <summary>The median of fewer has no meaning.</summary>
    private const int LeastWorkersForSlow = 3;

    /// <summary>The name of the file that makes the trainer do its part (LocalTraining.Trainer/Rehearsal.cs).</summary>
    public string FileName => Kind switch
    {
        FaultKind.Fail => $"fail-{Rank}-{Step}",
        FaultKind.Hang => $"hang-{Rank}-{Step}",
        FaultKind.Slow => $"slow-{Rank}-{Step}",
        _ => $"hold-{Rank}-{Step}",
    };

    public string Words => Kind switch
    {
        FaultKind.KillWorker => $"kill -9 of rank {Rank}'s worker process",
        FaultKind.Fail => $"rank {Rank} exits with an application error",
        FaultKind.KillNode => $"the node of rank {Rank} dies and never comes back",
        FaultKind.Hang => $"rank {Rank} hangs",
        FaultKind.Slow => $"rank {Rank} works at half its speed",
        FaultKind.Drain => $"the node of rank {Rank} announces its termination",
        _ => $"kill -9 of rank {Rank}'s worker process, and of the supervisor in that recovery",
    };

    /// <summary>
    /// The faults of a run: a function of these numbers and nothing else. The slow worker comes first and has steps of its own to be found in; a
    /// run that is too short for that, or too small, goes without.
    /// </summary>
    public static IReadOnlyList<Fault> Schedule(int steps, int workers, int seed, bool crashSupervisor)
    {
        var slow = workers >= LeastWorkersForSlow && steps >= 2 * SlowSteps;
        var from = slow ? SlowFrom + SlowSteps : 0;
        var kinds = Enum.GetValues<FaultKind>().Where(k => k != FaultKind.Slow && (crashSupervisor || k != FaultKind.KillWorkerAndSupervisor)).ToArray();
        var ranks = Enumerable.Range(0, workers).ToArray();
        new Random(seed).Shuffle(ranks);
        return
        [
            .. slow ? [new Fault(FaultKind.Slow, SlowFrom, ranks[^1])] : (Fault[])[],
            .. kinds.Select((kind, i) => new Fault(kind, from + ((i + 1) * (steps - from) / 7), ranks[i % workers])),
        ];
    }
}
