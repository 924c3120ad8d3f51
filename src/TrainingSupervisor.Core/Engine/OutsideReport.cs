namespace TrainingSupervisor.Engine;

/// <summary>A failure that something outside reports names as much as that knows: a Pod, a worker, or only a node. Here it comes to name all three.</summary>
internal static class OutsideReport
{
    /// <summary>As much as the agents keep of a worker's stderr and of a command's output.</summary>
    private const int LongestTail = 4096, LongestOutput = 16384;

    /// <summary>It is taken once it can be told whom it concerns.</summary>
    public static void See(GangDraft draft, Failure failure)
    {
        if (draft.Synced) Take(draft, failure);
        else draft.Set(s => s with { EarlyReports = s.EarlyReports.Add(Fit(failure)) });
    }

    public static void TakeEarly(GangDraft draft)
    {
        if (draft.State.EarlyReports is not { IsEmpty: false } early) return;
        draft.Set(s => s with { EarlyReports = [] });
        foreach (var failure in early) Take(draft, failure);
    }

    private static void Take(GangDraft draft, Failure failure)
    {
        // Its clock may be ahead of ours, and nothing has happened that is yet to come.
        failure = Fit(failure) with { At = failure.At < draft.Now ? failure.At : draft.Now };
        var named = About(draft.State.Workers.Select(n => draft[n]), failure).ToList();
        foreach (var one in named) FailureDetector.Report(draft, one);
        if (named.Count > 0) return;
        draft.Notice($"{WhyNothing(draft.State, failure)}: {failure}");
        if (!OnlyAvoids(draft.State, failure)) return;
        Quarantine.Add(draft, failure.Node!, failure.Kind);
        // Within a recovery it is written with that.
        if (draft.State.Stage == Stage.Running) draft.Save(planInProgress: false);
    }

    /// <summary>One for each worker that it concerns; none if the Pod has been replaced by now, or the node has no worker of the gang.</summary>
    public static IEnumerable<Failure> About(IEnumerable<PodState> workers, Failure failure)
    {
        if (failure is { Pod: null, Worker: null, Node: null }) return [failure];
        return workers
            .Where(p => failure.Pod is { } name ? p.Name == name : failure.Worker is { } worker ? p.Worker == worker : p.Node == failure.Node)
            .Select(p => failure with { Worker = p.Worker, Pod = p.Name, Node = p.Node ?? failure.Node });
    }

    /// <summary>What is said of a report that concerns nobody.</summary>
    public static string WhyNothing(GangState state, Failure failure) =>
        OnlyAvoids(state, failure) ? $"no worker of the gang is on {failure.Node}, and new Pods avoid it"
        : IsOfNode(failure) && !IsKnown(state, failure) ? $"a report is left aside, since the cluster has no node {failure.Node}"
        : "a report is left aside, since it concerns no worker that the gang has now";

    /// <summary>A node without workers is sick: a spare may be there, or the next Pod may come there.</summary>
    private static bool OnlyAvoids(GangState state, Failure failure) =>
        IsOfNode(failure) && failure.BlamesNode() && IsKnown(state, failure) && state.Spec is { IsAdopted: false, QuarantinePeriod.Ticks: > 0 };

    private static bool IsOfNode(Failure failure) => failure is { Pod: null, Worker: null, Node: not null };

    // Where Nodes may not be watched none is known, and any name may be right.
    private static bool IsKnown(GangState state, Failure failure) => state.Nodes.IsEmpty || state.Nodes.ContainsKey(failure.Node!);

    /// <summary>Whoever reports may pass on a whole log; the gang record, which has room for a megabyte in all, must still take it.</summary>
    private static Failure Fit(Failure failure) => failure with
    {
        Evidence = ReportedFailure.Line(failure.Evidence),
        SeenBy = ReportedFailure.Line(failure.SeenBy),
        StderrTail = Last(failure.StderrTail, LongestTail),
        Diagnostics = Last(failure.Diagnostics, LongestOutput),
    };

    private static string Last(string text, int most) => text.Length <= most ? text : text[^(char.IsLowSurrogate(text[^most]) ? most - 1 : most)..];
}
