using TrainingSupervisor.Policies;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>Workers whose own work, not their waiting, is persistently slower than their peers'.</summary>
internal static class StragglerDetector
{
    /// <summary>Agents may report at any moment; all workers are looked at no more often than this.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    public static void Run(GangDraft draft)
    {
        if (draft.Spec.StragglerDetection is not { } options || draft.State.Progress is not { } book || book.Attempt != draft.State.Attempt) return;
        var first = 0;
        foreach (var role in draft.Spec.Roles)
        {
            if (book.Roles.TryGetValue(role.Name, out var watch) && watch.Frontier >= 0) Judge(draft, role, first, watch.Frontier, options);
            first += draft.State.CountOf(role);
        }
    }

    /// <summary>How many workers are slow at this moment: one that was named once may be well again.</summary>
    public static int Count(GangState state) =>
        state.Spec.StragglerDetection is { } options && state.Progress.Attempt == state.Attempt ? state.Progress.Paces.Values.Sum(p => p.CountSlow(options)) : 0;

    private static void Judge(GangDraft draft, RoleSpec role, int first, long frontier, StragglerDetection options)
    {
        var pace = draft.State.Progress.Paces.GetValueOrDefault(role.Name);
        if (pace is not null && (pace.Step == frontier || draft.Now < pace.At + Interval)) return;
        var samples = new (long Step, double Own)[draft.State.CountOf(role)];
        for (var i = 0; i < samples.Length; i++)
        {
            var pod = draft.AtRank(first + i);
            samples[i] = pod.Progress is { OwnSeconds: { } own } p && p.Attempt == pod.Target ? (p.Step, own) : (-1, double.NaN);
        }

        var (next, found) = (pace ?? RolePace.Start(samples.Length)).Judge(samples, frontier, draft.Now, options);
        draft.Set(s => s with { Progress = s.Progress with { Paces = s.Progress.Paces.SetItem(role.Name, next) } });
        foreach (var straggler in found) Tell(draft, draft.AtRank(first + straggler.Index), straggler, options);
    }

    private static void Tell(GangDraft draft, PodState pod, Straggler straggler, StragglerDetection options)
    {
        var evidence = $"its own work takes {straggler.OwnSeconds / straggler.MedianSeconds:0.00} times its peers': {Seconds.Text(straggler.OwnSeconds)} a step, "
            + $"the median is {Seconds.Text(straggler.MedianSeconds)}; {straggler.SlowSteps} of the last {straggler.Steps} steps were slow (over {RolePace.Threshold(options):0.00} times)";
        var failure = FailureDetector.Of(pod, FailureKind.Straggler, evidence, draft.Now, "progress") with { Noticed = draft.Now };
        // One that is only to be reported must not disturb the gang, nor hide what the worker does next.
        if (GangDecisions.Decide(draft.State, [failure], draft.State.Attempt, draft.Now).Decision.Strategy == RecoveryStrategy.Ignore) draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, failure));
        else FailureDetector.Add(draft, failure);
    }
}
