using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>What a policy, spares, cells and elastic roles make of it.</summary>
internal static class PolicyScenarios
{
    public static IEnumerable<Scenario> All()
    {
        yield return Error("in-place", RecoveryStrategy.RestartGangInPlace);
        yield return Error("processes", RecoveryStrategy.RestartProcesses) with { Steps = "RestartProcess w-0 w-1 w-2" };
        yield return Error("recreate-failed", RecoveryStrategy.RecreateFailed) with { Steps = Scenario.MoveOne };
        yield return Error("recreate-gang", RecoveryStrategy.RecreateGang) with { Steps = "Recreate w-0 w-1 w-2" };
        yield return Error("with-spare", RecoveryStrategy.ReplaceWithSpare) with { Steps = Scenario.SpareForOne, Role = r => r.WithSpares(1), MoreNodes = 2 };
        yield return Error("cell", RecoveryStrategy.RestartCell) with
        {
            Injected = "exit 3 of w-1; cells of 2 (`WithCells`)", Workers = 4, Role = r => r.WithCells(2), Steps = "RestartInPlace w-0 w-1, Keep w-2 w-3", Then = OtherCellRanOn,
        };
        yield return Error("cell-moved", RecoveryStrategy.RestartCell) with
        {
            Kind = FailureKind.Killed, Injected = "SIGKILL for the container of w-1; cells of 2", Workers = 4, Role = r => r.WithCells(2),
            Inject = p => p.Lab.Embedded.KillContainerAsync(p.Of(1).Pod, "worker"), Policy = p => p.OnAny(RecoveryStrategy.RestartCell),
            Steps = "Recreate w-1, RestartInPlace w-0, Keep w-2 w-3", Then = OtherCellKnowsTheNewPod,
        };
        yield return Error("shrunk", RecoveryStrategy.ShrinkGang) with
        {
            Injected = "exit 3 of w-1; `WithMinWorkers(2)`", Role = r => r.WithMinWorkers(2), Steps = "RestartInPlace w-0 w-1", Then = p => HasWorldSize(p, 2),
        };
        yield return new("grown", null, "`RequestGrow` then, when a Pod waits for it", GrowAsync)
        {
            Role = r => r.WithMinWorkers(2, deadline: TimeSpan.FromSeconds(4)), Policy = p => p.On(FailureKind.Killed, RecoveryStrategy.ShrinkGang),
            Steps = "ReplaceWithSpare w-2, RestartInPlace w-0 w-1", Attempt = 3, CountsRestarts = false, Then = p => HasWorldSize(p, 3),
        };
        yield return Error("fail", RecoveryStrategy.FailGang) with { Fails = true };
        yield return Error("ignored", RecoveryStrategy.Ignore) with
        {
            Kind = FailureKind.HealthCheckFailed, Injected = "the worker says `unhealthy`", Inject = p => p.TellAsync(1, "echo unhealthy loss is NaN >> $GANG_PROGRESS_FILE"),
            Policy = p => p.On(FailureKind.HealthCheckFailed, RecoveryStrategy.Ignore), Steps = null, Then = TrainsOn,
        };
        yield return new("elastic", FailureKind.NodeLost, "a node dies and there is no other; `WithMinWorkers(2, deadline: 4 s)`", p => p.NodeOf(1).FailAsync())
        {
            NodesDie = true, Role = r => r.WithMinWorkers(2, deadline: TimeSpan.FromSeconds(4)), Steps = "Keep w-0 w-1", IsLong = true, Then = p => HasWorldSize(p, 2),
        };
        yield return Zoned("pool", 1, "the node of w-1 in zone b dies; a spare is kept in zone b (`WithSpares(1, \"zone\", \"b\")`)") with { Steps = Scenario.SpareForOne, Then = RefilledInZone };
        yield return Zoned("other-pool", 0, "the node of w-0 in zone a dies; a spare is kept in zone b") with { Steps = "Recreate w-0, RestartInPlace w-1 w-2" };
    }

    private static Scenario Error(string name, RecoveryStrategy strategy) => new(name, FailureKind.ApplicationError, "exit 3 of w-1", p => p.TellAsync(1, "echo shard 7 is corrupt >&2; exit 3"))
    {
        Policy = p => p.OnExitCode([3], strategy),
    };

    private static Scenario Zoned(string name, int culprit, string injected) => new(name, FailureKind.NodeLost, injected, p => p.NodeOf(culprit).FailAsync())
    {
        Culprit = culprit,
        NodesDie = true,
        MoreNodes = 3,
        IsLong = true,
        Role = r => r.WithSpares(1, "zone", "b"),
        Node = (number, options) =>
        {
            options.Labels["zone"] = number <= 3 ? "a" : "b";
            return options;
        },
        Pod = pod =>
        {
            if (!pod.Metadata.Name.Contains("-spare-", StringComparison.Ordinal)) pod.Spec.NodeSelector["zone"] = pod.Metadata.Name.Contains("-w-1-", StringComparison.Ordinal) ? "b" : "a";
        },
    };

    private static async Task OtherCellRanOn(Play play)
    {
        Assert.Equal([2, 2, 1, 1], play.Gang.Status.Workers.Select(w => w.Attempt));
        await play.TellAsync(2, "touch $GANG_DIR/alive-$GANG_ATTEMPT");
        await play.Lab.UntilAsync(() => File.Exists(play.FileOf(2, "alive-1")));
    }

    private static async Task OtherCellKnowsTheNewPod(Play play)
    {
        await OtherCellRanOn(play);
        foreach (var rank in new[] { 2, 3 })
        {
            await play.Lab.UntilAsync(() =>
                File.ReadAllText(play.FileOf(rank, "roster.json")) is var roster && roster.Contains("cell-moved-w-1-2", StringComparison.Ordinal) && roster.Contains("\"attempt\":2", StringComparison.Ordinal));
        }
    }

    private static async Task TrainsOn(Play play)
    {
        await play.TellAsync(1, "echo step 2 >> $GANG_PROGRESS_FILE");
        await play.Lab.UntilAsync(() => play.Of(1).Step == 2);
    }

    private static async Task HasWorldSize(Play play, int size)
    {
        Assert.Equal(size, play.Gang.Status.Workers.Count(w => w.Worker is not null));
        await play.TellAsync(0, "touch $GANG_DIR/world-$GANG_ATTEMPT-$WORLD_SIZE");
        await play.Lab.UntilAsync(() => File.Exists(play.FileOf(0, $"world-{play.Gang.Status.Attempt}-{size}")));
    }

    /// <summary>The next spare comes up in the same zone, and has no part in the world.</summary>
    private static async Task RefilledInZone(Play play)
    {
        await play.Lab.UntilAsync(() => play.Gang.Status.Workers.Any(w => w is { Worker: null, State: "Waiting", Rank: -1 }));
        var spare = play.Gang.Status.Workers.Single(w => w.Worker is null);
        Assert.Contains(spare.Node, new[] { "pool-node-4", "pool-node-5", "pool-node-6" });
        await HasWorldSize(play, 3);
    }

    private static async Task GrowAsync(Play play)
    {
        await play.KillWorkerAsync(1);
        await play.StartedAsync(2);
        play.Strike();
        play.Gang.RequestGrow();
    }
}
