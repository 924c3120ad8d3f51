using System.Collections.Immutable;

namespace TrainingSupervisor.Core.Tests.Policies;

public sealed class DecideTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(1);
    private static readonly WorkerId Three = new("trainer", 3), Four = new("trainer", 4);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static Failure Of(FailureKind kind, WorkerId? worker = null) => new(kind, "it broke", Now) { Worker = worker ?? Three, Pod = "llm-trainer-3-1", Node = "node-3" };

    private static FailureContext After(Failure failure, params RecoveryEntry[] recoveries) => new(failure, Now) { Attempt = recoveries.Length + 1, Recoveries = [.. recoveries] };

    /// <summary>The same failure over and over, each recovery a minute after the one before.</summary>
    private static PolicyDecision[] Repeat(RecoveryPolicy policy, Failure failure, int times, double minutes = 1, Func<int, long>? step = null)
    {
        var entries = new List<RecoveryEntry>();
        var made = new List<PolicyDecision>();
        for (var i = 0; i < times; i++)
        {
            var now = Now.AddMinutes(i * minutes);
            var best = step?.Invoke(i) ?? -1;
            var decision = policy.Decide(new FailureContext(failure, now) { Attempt = i + 1, Recoveries = [.. entries], BestStep = best });
            made.Add(decision);
            if (decision.Strategy is not (RecoveryStrategy.FailGang or RecoveryStrategy.Ignore)) entries.Add(RecoveryEntry.Of(failure, decision, i + 2, best, now));
        }

        return [.. made];
    }

    [Theory]
    [InlineData(FailureKind.ApplicationError, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.Killed, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.UnorderedRestart, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.OutOfMemory, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.ImageUnavailable, RecoveryStrategy.FailGang, false)]
    [InlineData(FailureKind.InvalidPod, RecoveryStrategy.FailGang, false)]
    [InlineData(FailureKind.StartError, RecoveryStrategy.FailGang, false)]
    [InlineData(FailureKind.Evicted, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.Preempted, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.PodDeleted, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.NodeDraining, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.NodeLost, RecoveryStrategy.Hybrid, true)]
    [InlineData(FailureKind.NodeUnhealthy, RecoveryStrategy.Hybrid, true)]
    [InlineData(FailureKind.AgentLost, RecoveryStrategy.Hybrid, true)]
    [InlineData(FailureKind.Hang, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.Straggler, RecoveryStrategy.Ignore, false)]
    [InlineData(FailureKind.StartTimeout, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.BarrierTimeout, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.RestartStuck, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.Unschedulable, RecoveryStrategy.Hybrid, false)]
    [InlineData(FailureKind.HealthCheckFailed, RecoveryStrategy.Hybrid, false)]
    public void Decide_NoRule_IsTheDefaultForTheKind(FailureKind kind, RecoveryStrategy strategy, bool avoidsNode)
    {
        var decision = new RecoveryPolicy().Decide(After(Of(kind)));
        Assert.Equal((strategy, avoidsNode, true), (decision.Strategy, decision.AvoidNode, decision.IsDefault));
        Assert.StartsWith($"the default for {kind}: {strategy}", decision.Reason, StringComparison.Ordinal);
        Assert.Contains(RecoveryPolicy.Default.Rules, r => r.Id == decision.Rule);
    }

    [Fact]
    public void Decide_OutOfMemoryAgainAndAgain_FailsAfterThreeAndNamesTheLimit()
    {
        var decisions = Repeat(new RecoveryPolicy(), Of(FailureKind.OutOfMemory), 4);
        Assert.Equal([RecoveryStrategy.Hybrid, RecoveryStrategy.Hybrid, RecoveryStrategy.Hybrid, RecoveryStrategy.FailGang], decisions.Select(d => d.Strategy));
        Assert.Contains("its limit is 3 within 1h", decisions[3].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_OutOfMemoryWithProgressBetween_DoesNotFail() =>
        Assert.All(Repeat(new RecoveryPolicy(), Of(FailureKind.OutOfMemory), 8, step: i => i * 100), d => Assert.Equal(RecoveryStrategy.Hybrid, d.Strategy));

    [Theory]
    [InlineData(FailureKind.Hang)]
    [InlineData(FailureKind.HealthCheckFailed)]
    public void Decide_SameWorkerTwice_IsRecreatedElsewhere(FailureKind kind)
    {
        var second = Repeat(new RecoveryPolicy(), Of(kind), 2, step: i => i * 1000)[1];
        Assert.Equal((RecoveryStrategy.RecreateFailed, true, 1), (second.Strategy, second.AvoidNode, second.Rung));

        var first = RecoveryEntry.Of(Of(kind, Four), new RecoveryPolicy().Decide(After(Of(kind, Four))), 2, -1, Now.AddMinutes(-1));
        Assert.Equal(RecoveryStrategy.Hybrid, new RecoveryPolicy().Decide(After(Of(kind), first)).Strategy);
        var nobody = Of(kind) with { Worker = null, Node = null };
        Assert.All(Repeat(new RecoveryPolicy(), nobody, 3), d => Assert.Equal(RecoveryStrategy.Hybrid, d.Strategy));
    }

    [Fact]
    public void Decide_EachCondition_MustHold()
    {
        var policy = RecoveryPolicy.Create(p => p.OnAny(r => r.OfKind(FailureKind.ApplicationError, FailureKind.Killed).WithExitCode(13, 14).WithSignal(9)
            .InRole("trainer").OnNode("pool", "spot").OnNode("zone", "a").WithLog("^NCCL .* (timeout|error)$").FromAttempt(3)
            .Where("the step is even", c => c.BestStep % 2 == 0).Use(RecoveryStrategy.RecreateGang)));
        var failure = Of(FailureKind.Killed) with { ExitCode = 14, Signal = 9, StderrTail = "one\nNCCL collective timeout\ntwo" };
        var labels = ImmutableDictionary<string, string>.Empty.Add("pool", "spot").Add("zone", "a").Add("more", "x");
        var right = new FailureContext(failure, Now) { Attempt = 3, NodeLabels = labels, BestStep = 4 };
        Assert.Equal(RecoveryStrategy.RecreateGang, policy.Decide(right).Strategy);
        Assert.Equal(RecoveryStrategy.RecreateGang, policy.Decide(right with { Failure = failure with { StderrTail = "", Evidence = "NCCL x error" } }).Strategy);
        FailureContext[] wrong =
        [
            right with { Failure = failure with { Kind = FailureKind.Hang } },
            right with { Failure = failure with { ExitCode = 15 } },
            right with { Failure = failure with { ExitCode = null } },
            right with { Failure = failure with { Signal = 11 } },
            right with { Failure = failure with { Signal = null } },
            right with { Failure = failure with { Worker = new WorkerId("evaluator", 3) } },
            right with { Failure = failure with { Worker = null } },
            right with { Failure = failure with { StderrTail = "the NCCL collective timeout" } },
            right with { NodeLabels = labels.SetItem("pool", "fixed") },
            right with { NodeLabels = labels.Remove("zone") },
            right with { Attempt = 2 },
            right with { BestStep = 5 },
        ];
        Assert.All(wrong, c => Assert.True(policy.Decide(c).IsDefault));
    }

    [Fact]
    public void Decide_PatternInTheEvidence_Matches() =>
        Assert.False(RecoveryPolicy.Create(p => p.OnLog("brok.", RecoveryStrategy.RecreateGang)).Decide(After(Of(FailureKind.Hang))).IsDefault);

    [Fact]
    public void Decide_TwoRulesMatch_TheFirstDecides()
    {
        var policy = RecoveryPolicy.Create(p => p.OnExitCode([3], RecoveryStrategy.RestartProcesses).OnExitCode([3, 4], RecoveryStrategy.FailGang));
        PolicyDecision With(int code) => policy.Decide(After(Of(FailureKind.ApplicationError) with { ExitCode = code }));
        Assert.Equal((RecoveryStrategy.RestartProcesses, "rule 1, any failure with exit code 3: RestartProcesses"), (With(3).Strategy, With(3).Reason));
        Assert.Equal(RecoveryStrategy.FailGang, With(4).Strategy);
        Assert.True(With(5).IsDefault);
    }

    [Fact]
    public void Decide_LadderOfThree_ClimbsByWhatTheRungBeforeHasAnswered()
    {
        var policy = RecoveryPolicy.Create(p => p.On(FailureKind.Killed, r => r.Use(RecoveryStrategy.RestartProcesses)
            .Then(RecoveryStrategy.Hybrid, after: 2, within: TimeSpan.FromMinutes(10)).Quiesce(TimeSpan.FromSeconds(5))
            .Then(RecoveryStrategy.RecreateGang, after: 1, within: TimeSpan.FromMinutes(10)).CheckHealth().Backoff(TimeSpan.FromSeconds(30))));
        var decisions = Repeat(policy, Of(FailureKind.Killed), 5);
        Assert.Equal([0, 0, 1, 2, 2], decisions.Select(d => d.Rung));
        Assert.Equal(
            [RecoveryStrategy.RestartProcesses, RecoveryStrategy.RestartProcesses, RecoveryStrategy.Hybrid, RecoveryStrategy.RecreateGang, RecoveryStrategy.RecreateGang],
            decisions.Select(d => d.Strategy));
        Assert.Equal([0, 0, 5, 0, 0], decisions.Select(d => d.Quiesce.TotalSeconds));
        Assert.Equal([false, false, false, true, true], decisions.Select(d => d.CheckHealth));
        Assert.Contains("rung 2 of 3, since 2 recoveries came before it and its limit is 2 within 10m", decisions[2].Reason, StringComparison.Ordinal);
        Assert.All(Repeat(policy, Of(FailureKind.Killed), 5, minutes: 10), d => Assert.Equal(0, d.Rung));
    }

    [Fact]
    public void Decide_OtherRulesRecoveries_DoNotClimbTheLadder()
    {
        var policy = RecoveryPolicy.Create(p => p.On(FailureKind.Killed, RecoveryStrategy.Hybrid)
            .On(FailureKind.Evicted, r => r.Use(RecoveryStrategy.Hybrid).Then(RecoveryStrategy.FailGang, after: 1, within: Hour, per: RepeatScope.Node)));
        var killed = RecoveryEntry.Of(Of(FailureKind.Killed), policy.Decide(After(Of(FailureKind.Killed))), 2, -1, Now);
        Assert.Equal(RecoveryStrategy.Hybrid, policy.Decide(After(Of(FailureKind.Evicted), killed)).Strategy);
        var evicted = RecoveryEntry.Of(Of(FailureKind.Evicted), policy.Decide(After(Of(FailureKind.Evicted))), 2, -1, Now);
        Assert.Equal(RecoveryStrategy.FailGang, policy.Decide(After(Of(FailureKind.Evicted), evicted)).Strategy);
        Assert.Equal(RecoveryStrategy.Hybrid, policy.Decide(After(Of(FailureKind.Evicted), evicted with { Node = "node-9" })).Strategy);
    }

    [Theory]
    [InlineData("gang", "of the gang is spent")]
    [InlineData("kind", "of the gang for Killed is spent")]
    [InlineData("worker", "of the worker trainer-3 is spent")]
    public void Decide_BudgetSpent_FailsAndSaysWhich(string which, string says)
    {
        var policy = RecoveryPolicy.Create(p => _ = which switch
        {
            "gang" => p.WithBudget(2, Hour),
            "kind" => p.WithKindBudget(FailureKind.Killed, 2, Hour),
            _ => p.WithWorkerBudget(2, Hour),
        });
        var decisions = Repeat(policy, Of(FailureKind.Killed), 3);
        Assert.Equal([RecoveryStrategy.Hybrid, RecoveryStrategy.Hybrid, RecoveryStrategy.FailGang], decisions.Select(d => d.Strategy));
        Assert.Contains($"the budget of 2 recoveries within 1h {says} (2 counted)", decisions[2].Reason, StringComparison.Ordinal);
        Assert.All(Repeat(policy, Of(FailureKind.Killed), 5, minutes: 31), d => Assert.Equal(RecoveryStrategy.Hybrid, d.Strategy));

        // What others have spent is not this one's.
        var others = Repeat(policy, Of(FailureKind.Evicted, Four), 3);
        Assert.Equal(which == "gang" ? RecoveryStrategy.FailGang : which == "kind" ? RecoveryStrategy.Hybrid : RecoveryStrategy.FailGang, others[2].Strategy);
        var entries = Enumerable.Range(0, 2).Select(i => RecoveryEntry.Of(Of(FailureKind.Evicted, Four), others[0], i + 2, -1, Now)).ToArray();
        Assert.Equal(which == "gang" ? RecoveryStrategy.FailGang : RecoveryStrategy.Hybrid, policy.Decide(After(Of(FailureKind.Killed), entries)).Strategy);
    }

    [Fact]
    public void Decide_ProgressBeyondTheFurthestStep_PaysBack()
    {
        var policy = RecoveryPolicy.Create(p => p.WithBudget(1, Hour, paidBackAfter: 50));
        var entry = RecoveryEntry.Of(Of(FailureKind.Killed), policy.Decide(After(Of(FailureKind.Killed))), 2, bestStep: 1000, Now);
        RecoveryStrategy At(RecoveryPolicy p, long step) => p.Decide(After(Of(FailureKind.Killed), entry) with { BestStep = step }).Strategy;
        Assert.Equal(RecoveryStrategy.FailGang, At(policy, 1049));
        Assert.Equal(RecoveryStrategy.Hybrid, At(policy, 1050));
        Assert.Equal(RecoveryStrategy.FailGang, At(RecoveryPolicy.Create(p => p.WithBudget(1, Hour, paidBackAfter: 0)), 1_000_000));
        Assert.Equal(RecoveryStrategy.Hybrid, At(RecoveryPolicy.Create(p => p.WithBudget(1, Hour)), 1100));
    }

    [Fact]
    public void Decide_NodeBudgetSpent_MovesTheWorkerAndDoesNotFail()
    {
        var decisions = Repeat(new RecoveryPolicy(), Of(FailureKind.Killed), 4, step: i => i * 1000);
        Assert.Equal([false, false, false, true], decisions.Select(d => d.AvoidNode));
        Assert.Equal(RecoveryStrategy.Hybrid, decisions[3].Strategy);
        Assert.Contains("of the node node-3 is spent (3 counted), so the worker moves", decisions[3].Reason, StringComparison.Ordinal);
        Assert.All(Repeat(new RecoveryPolicy(), Of(FailureKind.ApplicationError), 8), d => Assert.False(d.AvoidNode));
        Assert.All(Repeat(RecoveryPolicy.Create(p => p.WithoutNodeBudget()), Of(FailureKind.Killed), 8), d => Assert.False(d.AvoidNode));
    }

    [Fact]
    public void Decide_NodeBudget_CountsThatNodesRecoveriesOfKindsThatMayBlameIt()
    {
        var made = new RecoveryPolicy().Decide(After(Of(FailureKind.Killed)));
        RecoveryEntry[] Three(FailureKind kind, string node) =>
            [.. Enumerable.Range(0, 3).Select(i => RecoveryEntry.Of(Of(kind), made, i + 2, -1, Now) with { Node = node })];
        bool Avoids(RecoveryEntry[] entries) => new RecoveryPolicy().Decide(After(Of(FailureKind.Killed), entries)).AvoidNode;
        Assert.True(Avoids(Three(FailureKind.Evicted, "node-3")));
        Assert.False(Avoids(Three(FailureKind.Evicted, "node-4")));
        Assert.False(Avoids(Three(FailureKind.ApplicationError, "node-3")));
    }

    [Fact]
    public void Decide_Backoff_DoublesUpToTheLongestAndStartsAnewAfterProgress()
    {
        var policy = RecoveryPolicy.Create(p => p.WithBackoff(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60)).WithoutNodeBudget());
        double[] Waits(Func<int, long>? step) => [.. Repeat(policy, Of(FailureKind.Killed), 6, step: step).Select((d, i) => (d.NotBefore - Now.AddMinutes(i)).TotalSeconds)];
        Assert.Equal([0, 10, 20, 40, 60, 60], Waits(null));
        Assert.Equal([0, 0, 0, 0, 0, 0], Waits(i => i * 100));
    }

    [Fact]
    public void Decide_BackoffOfARule_CountsThatRulesRecoveriesOnly()
    {
        var policy = RecoveryPolicy.Create(p => p.On(FailureKind.Killed, r => r.Use(RecoveryStrategy.Hybrid).Backoff(TimeSpan.FromSeconds(7))));
        var other = RecoveryEntry.Of(Of(FailureKind.Evicted), policy.Decide(After(Of(FailureKind.Evicted))), 2, -1, Now);
        var same = RecoveryEntry.Of(Of(FailureKind.Killed), policy.Decide(After(Of(FailureKind.Killed))), 3, -1, Now);
        Assert.Equal(Now, policy.Decide(After(Of(FailureKind.Killed), other)).NotBefore);
        Assert.Equal(Now.AddSeconds(7), policy.Decide(After(Of(FailureKind.Killed), other, same)).NotBefore);
        Assert.Equal(Now, policy.Decide(After(Of(FailureKind.Evicted), other, same)).NotBefore);
    }

    [Theory]
    [InlineData(null, 9)]
    [InlineData(0, 0)]
    [InlineData(4, 4)]
    public void Decide_Quiesce_IsTheRulesElseTheGangs(int? rule, double expected)
    {
        var policy = RecoveryPolicy.Create(p => p.OnAny(r => rule switch
        {
            null => r.Use(RecoveryStrategy.Hybrid),
            0 => r.Use(RecoveryStrategy.Hybrid).WithoutQuiesce(),
            { } s => r.Use(RecoveryStrategy.Hybrid).Quiesce(TimeSpan.FromSeconds(s)),
        }));
        Assert.Equal(expected, policy.Decide(After(Of(FailureKind.Killed)) with { QuiesceDeadline = TimeSpan.FromSeconds(9) }).Quiesce.TotalSeconds);
    }
}
