using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>
/// Before a worker is kept in its Pod, the role's health command says whether it may be, where the policy asks for that: run by the agent at
/// the barrier, while no worker uses the device. Who fails gets another Pod elsewhere, within the same recovery, and that one is not asked.
/// </summary>
internal static class FitnessCheck
{
    /// <summary>Beyond the command's own timeout, for the way there and back.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(10);

    /// <summary>True while the barrier may not open: workers are being checked, or one has failed and the plan has changed.</summary>
    public static bool Run(GangDraft draft)
    {
        var plan = draft.State.Plan!;
        if (plan.Decision is not { CheckHealth: true }) return false;
        var waits = false;
        var unfit = new List<(PodState Pod, string Problem)>();
        for (var rank = 0; rank < draft.State.Workers.Length; rank++)
        {
            var (pod, step) = (draft.AtRank(rank), plan.Steps[rank]);
            if (!step.InScope || step.OldPod is not null || draft.Spec.Role(pod.Role).HealthCheck is not { } check) continue;
            if (!pod.Arrived(plan.Attempt))
            {
                // While its stream is away it cannot answer: its time begins anew when it is back.
                if (pod.Fitness is { IsOpen: true }) draft.Put(pod with { Fitness = null });
                continue;
            }

            pod = Ask(draft, pod, check);
            waits |= pod.Fitness!.IsOpen;
            if (pod.Fitness.Problem is { } problem) unfit.Add((pod, problem));
        }

        if (unfit.Count > 0) Replace(draft, plan, unfit);
        return waits || unfit.Count > 0;
    }

    public static void Answered(GangDraft draft, CommandRan ran)
    {
        if (draft.Find(ran.Pod) is not { Fitness: { IsOpen: true } fitness } pod || pod.Uid != ran.PodUid || fitness.Id != ran.Id) return;
        var line = ran.Output.Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
        if (ran.ExitCode == -1 && !ran.TimedOut)
        {
            // That says nothing of the device, and would take every worker from its Pod.
            draft.Notice($"the health command could not be started in {pod.Name}, which is kept unchecked: {line}");
            draft.Put(pod with { Fitness = fitness with { IsOpen = false } });
            return;
        }

        var how = ran.TimedOut ? "it did not end in time" : ran.ExitCode == 0 ? null : $"exit code {ran.ExitCode}";
        draft.Put(pod with { Fitness = fitness with { IsOpen = false, Problem = how is null ? null : $"{how}{(line is null ? "" : $": {line}")}" } });
    }

    private static PodState Ask(GangDraft draft, PodState pod, HealthCheck check)
    {
        // A container that came back again since is asked anew; a supervisor that took over asks for the same id, and the agent answers from memory.
        var id = $"fit-{draft.State.Attempt}-{pod.Agent!.Instance}";
        var fitness = pod.Fitness?.Id == id ? pod.Fitness : new Fitness(id, draft.Now) { AskedAt = DateTimeOffset.MinValue };
        var deadline = fitness.Since + check.Timeout + Slack;
        if (fitness.IsOpen && draft.Now >= deadline) fitness = fitness with { IsOpen = false, Problem = "its agent did not say what came of it" };
        // An answer may have been lost with a stream.
        if (fitness.IsOpen && draft.Now >= fitness.AskedAt + Barrier.Repeat)
        {
            fitness = fitness with { AskedAt = draft.Now };
            draft.Emit(new RunCommand(pod.Name, pod.Uid!, id, check.Command, check.Timeout));
        }

        if (fitness.IsOpen)
        {
            draft.WakeAt(fitness.AskedAt + Barrier.Repeat);
            draft.WakeAt(deadline);
        }

        if (fitness == pod.Fitness) return pod;
        pod = pod with { Fitness = fitness };
        draft.Put(pod);
        return pod;
    }

    private static void Replace(GangDraft draft, RecoveryPlan plan, List<(PodState Pod, string Problem)> unfit)
    {
        ImmutableArray<Failure> failures =
        [
            .. unfit.Select(u => FailureDetector.Of(u.Pod, FailureKind.HealthCheckFailed, $"the health command, run before the worker is kept in its Pod: {u.Problem}", draft.Now, "health command")
                with { Noticed = draft.Now, IsUnfit = true }),
        ];
        foreach (var failure in failures) draft.Tell(new FailureDetected(draft.Spec.Name, draft.Now, failure));
        var next = RecoveryPlanner.Plan(draft.ToState(), failures, plan.Strategy, plan.Reason, plan.Attempt, draft.Now, plan.Decision);
        var steps = JoinedFailures.Merge(draft.State, plan.Steps, next.Steps, [.. unfit.Select(u => u.Pod.Name)]);
        JoinedFailures.Continue(draft, next with { Fallback = plan.Fallback, Steps = steps }, failures);
    }
}

/// <summary>One run of a role's health command at the barrier.</summary>
/// <param name="Id">By attempt and agent: the agent runs it once.</param>
/// <param name="Since">When it was first asked for.</param>
internal sealed record Fitness(string Id, DateTimeOffset Since)
{
    public DateTimeOffset AskedAt { get; init; }

    /// <summary>Not answered yet.</summary>
    public bool IsOpen { get; init; } = true;

    /// <summary>Why the worker may not stay in this Pod; null if it may.</summary>
    public string? Problem { get; init; }
}
