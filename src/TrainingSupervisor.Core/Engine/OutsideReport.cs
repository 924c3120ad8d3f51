namespace TrainingSupervisor.Engine;

/// <summary>A failure that something outside reports names as much as that knows: a Pod, a worker, or only a node. Here it comes to name all three.</summary>
internal static class OutsideReport
{
    public static void Take(GangDraft draft, Failure failure)
    {
        var named = About(draft.State.Workers.Select(n => draft[n]), failure).ToList();
        if (named.Count == 0) draft.Notice($"a report is left aside, since it concerns no worker that the gang has now: {failure}");
        foreach (var one in named) FailureDetector.Report(draft, one);
    }

    /// <summary>One for each worker that it concerns; none if the Pod has been replaced by now, or the node has no worker of the gang.</summary>
    public static IEnumerable<Failure> About(IEnumerable<PodState> workers, Failure failure)
    {
        if (failure is { Pod: null, Worker: null, Node: null }) return [failure];
        return workers
            .Where(p => failure.Pod is { } name ? p.Name == name : failure.Worker is { } worker ? p.Worker == worker : p.Node == failure.Node)
            .Select(p => failure with { Worker = p.Worker, Pod = p.Name, Node = p.Node ?? failure.Node });
    }
}
