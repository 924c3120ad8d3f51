namespace LocalTraining.Running;

/// <summary>One fault: it strikes while the rank works on the step.</summary>
internal sealed record Fault(FaultKind Kind, int Step, int Rank)
{
    /// <summary>The name of the file that makes the trainer do its part (LocalTraining.Trainer/Rehearsal.cs).</summary>
    public string FileName => Kind switch
    {
        FaultKind.Fail => $"fail-{Rank}-{Step}",
        FaultKind.Hang => $"hang-{Rank}-{Step}",
        _ => $"hold-{Rank}-{Step}",
    };

    public string Words => Kind switch
    {
        FaultKind.KillWorker => $"kill -9 of rank {Rank}'s worker process",
        FaultKind.Fail => $"rank {Rank} exits with an application error",
        FaultKind.KillNode => $"the node of rank {Rank} dies and never comes back",
        FaultKind.Hang => $"rank {Rank} hangs",
        _ => $"kill -9 of rank {Rank}'s worker process, and of the supervisor in that recovery",
    };

    /// <summary>The faults of a run: a function of these numbers and nothing else.</summary>
    public static IReadOnlyList<Fault> Schedule(int steps, int workers, int seed, bool crashSupervisor)
    {
        var kinds = Enum.GetValues<FaultKind>().Where(k => crashSupervisor || k != FaultKind.KillWorkerAndSupervisor).ToArray();
        var ranks = Enumerable.Range(0, workers).ToArray();
        new Random(seed).Shuffle(ranks);
        return [.. kinds.Select((kind, i) => new Fault(kind, (i + 1) * steps / 6, ranks[i % workers]))];
    }
}
