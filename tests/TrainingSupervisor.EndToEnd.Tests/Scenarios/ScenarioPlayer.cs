namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>Breaks it, and looks whether all came of it that must and nothing else.</summary>
internal static class ScenarioPlayer
{
    public static async Task<ScenarioRow> PlayAsync(Lab lab, Scenario scenario)
    {
        using var play = new Play(lab, scenario);
        play.Strike();
        await play.LaunchAsync();
        var before = await LivesAsync(play);
        if (scenario.StartsWell) play.Strike();
        await scenario.Inject(play);
        var seen = scenario.Kind is { } kind ? await play.DetectedAsync(kind) : null;
        if (seen is not null) Assert.Equal(scenario.Culprit is { } index ? new WorkerId("w", index) : null, seen.Worker);
        var row = scenario.Fails ? await FailedAsync(play, scenario, seen!)
            : scenario.Steps is null ? await IgnoredAsync(play, scenario, seen!)
            : await RecoveredAsync(play, scenario, seen, before);
        await play.Gang.StopAsync().WaitAsync(lab.Cluster.Patience);
        return row;
    }

    private static async Task<ScenarioRow> RecoveredAsync(Play play, Scenario scenario, Failure? seen, Dictionary<string, (string Uid, int Restarts)> before)
    {
        await play.StartedAsync(scenario.Attempt);
        var done = await play.Lab.ExpectAsync<RecoveryCompleted>(play.Gang, e => e.Plan.Attempt == scenario.Attempt);
        var plans = play.Events.OfType<RecoveryPlanned>().Where(e => e.Plan.Attempt == scenario.Attempt).Select(e => e.Plan).Append(done.Plan);
        Assert.Equal(scenario.Cause ?? scenario.Kind, done.Plan.Cause?.Kind);
        Assert.Equal(scenario.Steps, StepsOf(done.Plan));
        Assert.Equal(Enumerable.Range(0, done.Plan.Steps.Length), play.Gang.Status.Workers.Where(w => w.Worker is not null).Select(w => w.Rank));

        var after = await LivesAsync(play);
        var kept = new List<string>();
        foreach (var step in done.Plan.Steps.Where(s => before.ContainsKey(s.Pod)))
        {
            Assert.True(after.TryGetValue(step.Pod, out var life) && life.Uid == before[step.Pod].Uid, $"the Pod of {step.Worker} is not the same");
            if (scenario.CountsRestarts && step.Step is RecoveryStep.RestartInPlace or RecoveryStep.RestartProcess)
            {
                Assert.Equal((step.Worker, step.Step == RecoveryStep.RestartInPlace ? 1 : 0), (step.Worker, life.Restarts - before[step.Pod].Restarts));
            }

            kept.Add(step.Pod);
        }

        await scenario.Then(play);
        var by = seen is null ? "" : scenario.Policy is null ? "default: " : "rule: ";
        return new ScenarioRow(scenario.Kind, scenario.Injected, SeenOf(play, seen, done.Plan), $"{by}{InTurn(plans, p => $"{p.Strategy}")}", InTurn(plans, StepsOf), scenario.StartsWell ? $"{kept.Count} of {scenario.Workers}" : "–", ScenarioRow.Split(play.Struck, done.Timing));
    }

    private static async Task<ScenarioRow> FailedAsync(Play play, Scenario scenario, Failure seen)
    {
        var result = await play.Gang.WaitAsync().WaitAsync(play.Lab.Cluster.Patience);
        Assert.Equal(GangPhase.Failed, result.Phase);
        Assert.Contains(seen.Evidence, result.Outcome, StringComparison.Ordinal);
        await scenario.Then(play);
        var failed = await play.Lab.ExpectAsync<PhaseChanged>(play.Gang, p => p.Phase == GangPhase.Failed);
        var times = ScenarioRow.Sum(play.Struck, seen.Noticed, failed.At);
        return new ScenarioRow(scenario.Kind, scenario.Injected, SeenOf(play, seen, null), scenario.Policy is null ? "default: FailGang" : "rule: FailGang", "the gang fails", "–", times);
    }

    private static async Task<ScenarioRow> IgnoredAsync(Play play, Scenario scenario, Failure seen)
    {
        await scenario.Then(play);
        Assert.Equal((GangPhase.Running, 1), (play.Gang.Status.Phase, play.Gang.Status.Attempt));
        return new ScenarioRow(scenario.Kind, scenario.Injected, SeenOf(play, seen, null), scenario.Policy is null ? "default: Ignore" : "rule: Ignore", "nobody is touched", $"{scenario.Workers} of {scenario.Workers}", ScenarioRow.Seconds(seen.Noticed - play.Struck));
    }

    private static string SeenOf(Play play, Failure? seen, RecoveryPlan? plan) => seen is null ? plan!.Reason
        : ScenarioRow.Stable($"{(seen.Worker is { } w ? $"{w}, " : "")}by {(seen.SeenBy.Length == 0 ? "whoever reported it" : seen.SeenBy)}: {seen.Evidence}", play.Gang.Name);

    /// <summary>A plan that grows, or is followed by another within its recovery, is told again.</summary>
    private static string InTurn(IEnumerable<RecoveryPlan> plans, Func<RecoveryPlan, string> what) =>
        string.Join(" → ", plans.Select(what).Aggregate(new List<string>(), (all, next) => all.LastOrDefault() == next ? all : [.. all, next]));

    private static string StepsOf(RecoveryPlan plan) =>
        string.Join(", ", plan.Steps.GroupBy(s => s.Step).OrderByDescending(g => g.Key).Select(g => $"{g.Key} {string.Join(' ', g.Select(s => s.Worker))}"));

    private static async Task<Dictionary<string, (string Uid, int Restarts)>> LivesAsync(Play play) =>
        (await play.PodsAsync()).Where(p => p.Value.Metadata.DeletionTimestamp is null && play.Gang.Status.Workers.Any(w => w.Worker is not null && w.Pod == p.Key))
            .ToDictionary(p => p.Key, p => (p.Value.Metadata.Uid, p.Value.Status.ContainerStatuses?.FirstOrDefault(c => c.Name == "worker")?.RestartCount ?? 0));
}
