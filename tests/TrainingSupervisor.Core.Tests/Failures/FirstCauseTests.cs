using System.Collections.Immutable;
using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using Xunit.Abstractions;

namespace TrainingSupervisor.Core.Tests.Failures;

public sealed class FirstCauseTests(ITestOutputHelper output)
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;

    private static Failure Of(int worker, FailureKind kind, double at, string stderr = "", string by = "agent", int? code = null, int? signal = null, string? node = null)
    {
        var failure = new Failure(kind, $"{kind}", Start.AddSeconds(at))
        {
            Worker = new WorkerId("trainer", worker), Pod = $"p{worker}", Node = node ?? $"n{worker}", StderrTail = stderr, SeenBy = by, ExitCode = code, Signal = signal,
        };
        return failure with { Uncertainty = FirstCause.UncertaintyOf(failure) };
    }

    private static Failure Peer(int worker, double at) => Of(worker, FailureKind.ApplicationError, at, "ConnectionResetError: [Errno 104] Connection reset by peer", code: 1);

    private static int First(params Failure[] failures) => FirstCause.Rank(failures, [])[0].Worker!.Value.Index;

    /// <summary>
    /// The issue's own: storms of 1,000 failures in random order, the culprit is named in 99 % of them. Where in each storm a peer fails with an
    /// error that shows nothing of being one, within the error of the clocks, nobody could tell the two apart; there it is less.
    /// </summary>
    [Theory]
    [InlineData(1_000_000, 1, 99)]
    [InlineData(2_000_000, 1, 99)]
    [InlineData(3_000_000, 1, 99)]
    [InlineData(4_000_000, 100, 90)]
    public void Rank_StormsOfAThousandFailures_NamesTheCulprit(int seed, int misleading, int least)
    {
        const int Storms = 500;
        var results = Enumerable.Range(seed, Storms).AsParallel().WithDegreeOfParallelism(2).Select(s =>
        {
            var storm = new Storm(s, 1000, misleading);
            var first = FirstCause.Rank(storm.Failures.Select(f => f with { Uncertainty = FirstCause.UncertaintyOf(f) }), [])[0];
            return (storm.Kind, Right: first.Worker == storm.Culprit, Words: $"{s} {storm.Kind}: named {first} / {first.StderrTail}");
        }).ToList();
        foreach (var kind in results.GroupBy(r => r.Kind).OrderBy(g => g.Key, StringComparer.Ordinal)) output.WriteLine($"{kind.Key}: {kind.Count(r => r.Right)} of {kind.Count()}");
        foreach (var wrong in results.Where(r => !r.Right).Take(20)) output.WriteLine(wrong.Words);
        output.WriteLine($"all: {results.Count(r => r.Right)} of {Storms}");
        Assert.Equal(Storm.Culprits.Length, results.Select(r => r.Kind).Distinct().Count());
        Assert.InRange(results.Count(r => r.Right), Storms * least / 100, Storms);
    }

    [Theory]
    [InlineData(FailureKind.OutOfMemory, "agent")]
    [InlineData(FailureKind.NodeLost, "node lease")]
    [InlineData(FailureKind.NodeUnhealthy, "node condition")]
    [InlineData(FailureKind.Evicted, "pod status")]
    [InlineData(FailureKind.Killed, "agent")]
    public void Rank_PeersErrorIsEarlierOnASkewedClock_TheHarderCauseIsNamed(FailureKind kind, string by) =>
        Assert.Equal(2, First(Peer(1, 0), Peer(3, 0.3), Of(2, kind, 0.4, by: by, signal: 9), Peer(4, 0.1)));

    [Fact]
    public void Rank_UnexplainedErrorAmongPeersErrors_IsNamed() =>
        Assert.Equal(2, First(Peer(1, 0), Of(2, FailureKind.ApplicationError, 0.4, "ValueError: loss is NaN", code: 1), Peer(3, 0.1)));

    [Fact]
    public void Rank_HarderKindAMinuteLater_IsNotTheCause() =>
        Assert.Equal(1, First(Peer(1, 0), Peer(3, 0.1), Of(2, FailureKind.OutOfMemory, 60)));

    [Fact]
    public void Rank_LostNodeAfterAnErrorOfItsOwn_IsNotTheCause() =>
        Assert.Equal(1, First(Of(1, FailureKind.ApplicationError, 0, "KeyError: 'x'", code: 1), Of(2, FailureKind.NodeLost, 20, by: "node lease")));

    [Fact]
    public void Rank_OnlyPeersErrors_TheEarliestIsNamed() => Assert.Equal(3, First(Peer(1, 5), Peer(2, 3), Peer(3, 0)));

    [Fact]
    public void Rank_AllFailAlike_TheEarliestIsNamed() =>
        Assert.Equal(4, First([.. Enumerable.Range(0, 10).Select(i => Of(i, FailureKind.ApplicationError, Math.Abs(i - 4), "FileNotFoundError: '/data'", code: 1))]));

    [Fact]
    public void Rank_ManyEndWithoutWordsAndOneOtherwise_TheOtherIsNamed() =>
        Assert.Equal(7, First([.. Enumerable.Range(0, 6).Select(i => Of(i, FailureKind.ApplicationError, 0.1 * i, code: 1)), Of(7, FailureKind.ApplicationError, 0.4, code: 42)]));

    [Fact]
    public void Rank_WatchdogsAbort_IsLessThanASegmentationFault() =>
        Assert.Equal(2, First(Of(1, FailureKind.Killed, 0, signal: 6, code: 134), Of(2, FailureKind.Killed, 0.2, signal: 11, code: 139)));

    [Fact]
    public void Rank_DeclaredExitCode_IsAConsequence()
    {
        var failures = new[] { Of(1, FailureKind.ApplicationError, 0, "bye", code: 77), Of(2, FailureKind.ApplicationError, 1, code: 1) };
        Assert.Equal(1, FirstCause.Rank(failures, [])[0].Worker!.Value.Index);
        Assert.Equal(2, FirstCause.Rank(failures, [77])[0].Worker!.Value.Index);
    }

    [Fact]
    public void Rank_NoticeOfAnotherNode_IsNotTheCauseOfACrash()
    {
        Assert.Equal(2, First(Of(1, FailureKind.NodeDraining, -60, by: "node"), Of(2, FailureKind.ApplicationError, 0, "KeyError: 'x'", code: 1)));
        Assert.Equal(FailureKind.NodeDraining, FirstCause.Rank([Of(1, FailureKind.NodeDraining, -60, by: "node"), Of(1, FailureKind.Killed, 0, signal: 15, code: 143)], [])[0].Kind);
    }

    [Fact]
    public void Step_CulpritIsReportedLate_TheRecoveryUnderWayNamesIt()
    {
        var world = Started();
        foreach (var rank in new[] { 1, 3 }) world.Report(Peer(rank, 0) with { Pod = world.PodOf(rank).Name, At = world.Now });
        world.Run(TimeSpan.FromMilliseconds(150));
        Assert.Equal(1, world.Events.OfType<RecoveryPlanned>().Last().Plan.Cause!.Worker!.Value.Index);
        world.Report(Of(2, FailureKind.OutOfMemory, 0) with { Pod = world.PodOf(2).Name, At = world.Now - TimeSpan.FromMilliseconds(100) });
        world.Run(TimeSpan.FromSeconds(10));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;
        Assert.Equal((FailureKind.OutOfMemory, 2, 3), (plan.Cause!.Kind, plan.Cause.Worker!.Value.Index, plan.Failures.Length));
        Assert.Equal((Stage.Running, 2), (world.State.Stage, world.State.Attempt));
    }

    [Fact]
    public void Step_RackDies_IsOneRecoveryThatNamesTheRack()
    {
        var world = Started(12, racks: 3, more: g => g.WithFailureDomain("rack"));
        var rack = FullestRack(world);
        var victims = world.State.Workers.Count(w => world.Pods[w].Node!.Rack == rack);
        foreach (var node in world.Nodes.Where(n => n.Rack == rack).ToList()) world.Kill(node);
        foreach (var rank in Enumerable.Range(0, 12).Where(r => world.PodOf(r).Node!.Rack != rack)) world.Report(Peer(rank, 0) with { Pod = world.PodOf(rank).Name, At = world.Now.AddSeconds(0.2) });
        world.Run(TimeSpan.FromSeconds(60));
        var plan = world.Events.OfType<RecoveryPlanned>().Last().Plan;
        Assert.Equal((2, Stage.Running), (world.State.Attempt, world.State.Stage));
        Assert.Equal($"rack={rack}", plan.Domain);
        Assert.EndsWith($"; {victims} of {victims} workers on rack={rack}", plan.Cause!.Evidence, StringComparison.Ordinal);
        Assert.All(plan.Failures.Skip(1), f => Assert.DoesNotContain("workers on", f.Evidence, StringComparison.Ordinal));
    }

    [Fact]
    public void Step_RackDiesOneNodeAfterTheOther_TheFirstDecisionWaitsForTheRest()
    {
        var world = Started(9, racks: 3, more: g => g.WithFailureDomain("rack"));
        var rack = FullestRack(world);
        var nodes = world.Nodes.Where(n => n.Rack == rack && world.State.Workers.Any(w => world.Pods[w].Node == n)).ToList();
        for (var i = 0; i < nodes.Count; i++)
        {
            var node = nodes[i];
            world.After(300 * i, () => world.Kill(node));
        }

        world.Run(TimeSpan.FromSeconds(60));
        var first = world.Events.OfType<RecoveryPlanned>().First(p => p.Plan.Attempt == 2).Plan;
        Assert.Equal((nodes.Count, $"rack={rack}"), (first.Failures.Select(f => f.Node).Distinct().Count(), first.Domain));
    }

    [Fact]
    public void Step_NodesOfDifferentRacksDie_NoDomainIsNamedAndNobodyWaits()
    {
        var world = Started(9, racks: 3, more: g => g.WithFailureDomain("rack"));
        var node = world.PodOf(4).Node!;
        var other = world.State.Workers.Select(w => world.Pods[w].Node!).First(n => n.Rack != node.Rack);
        world.Kill(node);
        world.Kill(other);
        world.Run(TimeSpan.FromSeconds(60));
        Assert.Null(world.Events.OfType<RecoveryPlanned>().Last().Plan.Domain);
        var noticed = world.Events.OfType<FailureDetected>().First().At;
        var decided = world.Events.OfType<RecoveryPlanned>().First(p => p.Plan.Attempt == 2).At;
        Assert.InRange(decided - noticed, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    }

    [Fact]
    public void Of_AllWorkersOfOneRackAndOnlyTwoFail_NamesNoDomain()
    {
        var world = Started(4, racks: 1, more: g => g.WithFailureDomain("rack"));
        world.Exit(world.PodOf(0), 3);
        world.Exit(world.PodOf(1), 3);
        world.Run(TimeSpan.FromSeconds(10));
        Assert.Null(world.Events.OfType<RecoveryPlanned>().Last().Plan.Domain);
    }

    /// <summary>Where Pods land is the world's chance; a third of them are in some rack.</summary>
    private static string FullestRack(World world) => world.State.Workers.CountBy(w => world.Pods[w].Node!.Rack).MaxBy(r => r.Value).Key;

    private static World Started(int workers = 4, int racks = 0, Action<GangBuilder>? more = null)
    {
        var world = new World(1, Specs.Gang(workers, 0, more).Build(), nodes: 2 * workers);
        for (var i = 0; racks > 0 && i < world.Nodes.Count; i++) world.Nodes[i].Rack = $"r{i % racks}";
        world.Run(TimeSpan.FromSeconds(20));
        Assert.Equal(Stage.Running, world.State.Stage);
        return world;
    }
}
