namespace TrainingSupervisor.Core.Tests.Policies;

public sealed class PolicyValidatorTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static string[] Problems(Action<PolicyBuilder> policy, int spares = 0)
    {
        try
        {
            Specs.Gang(spares: spares, more: g => g.WithPolicy(policy)).Build();
            return [];
        }
        catch (InvalidGangException e)
        {
            return [.. e.Problems.Select(p => p.ToString())];
        }
    }

    private static void Only(string start, Action<PolicyBuilder> policy) => Assert.StartsWith(start, Assert.Single(Problems(policy)), StringComparison.Ordinal);

    [Fact]
    public void Build_EverythingWrong_NamesAllAtOnce()
    {
        var problems = Problems(p => p
            .OnExitCode([0, 5, 256], RecoveryStrategy.Hybrid)
            .OnSignal([65], r => r.InRole("trianer").FromAttempt(0).Use(RecoveryStrategy.Hybrid).Then(RecoveryStrategy.FailGang, after: 0, within: TimeSpan.Zero))
            .OnLog("(", RecoveryStrategy.Hybrid)
            .WithBudget(-1, TimeSpan.Zero).WithKindBudget(FailureKind.Hang, 1, Minute, -1).WithNodeBudget(2000, Minute)
            .WithBackoff(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1)));
        Assert.Equal(
            [
                "policy.rules[0].exitCodes[0]", "policy.rules[0].exitCodes[2]", "policy.rules[1].signals[0]", "policy.rules[1].role", "policy.rules[1].fromAttempt",
                "policy.rules[1].then[0].after", "policy.rules[1].then[0].within", "policy.rules[2].log", "policy.budget.recoveries", "policy.budget.window",
                "policy.kindBudgets.Hang.paidBackAfter", "policy.nodeBudget.recoveries", "policy.backoff.longest",
            ],
            problems.Select(p => p[..p.IndexOf(':', StringComparison.Ordinal)]));
        Assert.Contains("policy.rules[1].role: There is no role 'trianer'; the roles are trainer.", problems);
    }

    [Fact]
    public void Build_RuleAfterOneThatCatchesAll_IsNamed() =>
        Only("policy.rules[1]: The rule never matches: rules[0] before it answers all", p => p.OnAny(RecoveryStrategy.Hybrid).On(FailureKind.Hang, RecoveryStrategy.Ignore));

    [Fact]
    public void Build_RuleThatSeveralBeforeItCatchTogether_IsNamed() =>
        Only("policy.rules[2]: The rule never matches: rules[0] and rules[1] before it", p => p
            .On(FailureKind.Hang, RecoveryStrategy.Hybrid).On([FailureKind.Killed, FailureKind.Evicted], RecoveryStrategy.Hybrid)
            .On([FailureKind.Evicted, FailureKind.Hang], r => r.InRole("trainer").Use(RecoveryStrategy.FailGang)));

    [Fact]
    public void Build_ExitCodesOfAnEarlierRule_AreNamed() =>
        Only("policy.rules[1]: ", p => p.OnExitCode([3, 4, 5], RecoveryStrategy.Hybrid).OnExitCode([5, 3], r => r.FromAttempt(2).Use(RecoveryStrategy.FailGang)));

    [Fact]
    public void Build_LaterRuleIsWider_IsRight() =>
        Assert.Empty(Problems(p => p
            .OnExitCode([3], RecoveryStrategy.Hybrid).OnExitCode([3, 4], RecoveryStrategy.FailGang)
            .On(FailureKind.Killed, r => r.InRole("trainer").FromAttempt(2).Use(RecoveryStrategy.Hybrid)).On(FailureKind.Killed, RecoveryStrategy.FailGang)
            .On(FailureKind.Hang, r => r.OnNode("a", "b").Use(RecoveryStrategy.Hybrid)).On(FailureKind.Hang, r => r.OnNode("a", "c").Use(RecoveryStrategy.Hybrid))
            .On(FailureKind.Evicted, r => r.Where("x", _ => true).Use(RecoveryStrategy.Hybrid)).On(FailureKind.Evicted, r => r.Where("y", _ => true).Use(RecoveryStrategy.Hybrid))
            .OnAny(RecoveryStrategy.Hybrid)));

    [Theory]
    [InlineData(RecoveryStrategy.FailGang)]
    [InlineData(RecoveryStrategy.Ignore)]
    public void Build_RungAfterOneThatRecoversNothing_IsNamed(RecoveryStrategy strategy) =>
        Only("policy.rules[0].then[0]: This rung is never reached", p => p.OnAny(r => r.Use(strategy).Then(RecoveryStrategy.Hybrid, 1, Minute)));

    [Fact]
    public void Build_ModifierOfWhatRestartsNothing_IsNamed() =>
        Only("policy.rules[0].use: FailGang restarts nothing", p => p.OnAny(r => r.Use(RecoveryStrategy.FailGang).AvoidNode()));

    [Fact]
    public void Build_TwoRulesOfOneName_IsNamed() =>
        Only("policy.rules[1].name: rules[0] is named 'mine' too", p => p
            .On(FailureKind.Hang, r => r.Named("mine").Use(RecoveryStrategy.Hybrid)).On(FailureKind.Killed, r => r.Named("mine").Use(RecoveryStrategy.Hybrid)));

    [Fact]
    public void Build_ReplaceWithSpareWithoutSpares_IsNamed()
    {
        Only("policy.rules[0].use: ReplaceWithSpare needs spares", p => p.On(FailureKind.Killed, RecoveryStrategy.ReplaceWithSpare));
        Assert.Empty(Problems(p => p.On(FailureKind.Killed, RecoveryStrategy.ReplaceWithSpare), spares: 1));
    }

    [Fact]
    public void Build_StrategyOrModifierThatNoRoleCanDo_IsNamedAndOtherwiseRight()
    {
        Only("policy.rules[0].use: RestartCell needs cells", p => p.On(FailureKind.Killed, RecoveryStrategy.RestartCell));
        Only("policy.rules[0].then[0].use: ShrinkGang needs a least number of workers", p => p.On(FailureKind.Killed, r => r.Use(RecoveryStrategy.Hybrid).Then(RecoveryStrategy.ShrinkGang, 1, Minute)));
        Only("policy.rules[0].checkHealth: This needs a health check's command", p => p.On(FailureKind.Killed, r => r.Use(RecoveryStrategy.Hybrid).CheckHealth()));
        Specs.Gang(more: g => g
            .AddRole("able", r => r.WithCount(4).WithCells(2).WithMinWorkers(2, multipleOf: 2).WithHealthCheck(["check"]).WithImage("x").WithCommand("x").WithAgentInImage("/agent"))
            .WithPolicy(p => p.On(FailureKind.Killed, RecoveryStrategy.RestartCell).On(FailureKind.Hang, RecoveryStrategy.ShrinkGang)
                .On(FailureKind.Evicted, r => r.Use(RecoveryStrategy.Hybrid).CheckHealth()))).Build();
    }

    [Fact]
    public void On_NoKinds_Throws() => Assert.Throws<ArgumentException>(() => RecoveryPolicy.Create(p => p.On([], RecoveryStrategy.Hybrid)));

    [Fact]
    public void Build_ReplaceWithSpareWhereAllSparesHaveALabel_IsRight()
    {
        var spec = Gang.Create("llm")
            .AddRole("trainer", r => r.WithCount(4).WithSpares(1, "zone", "b").WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithPolicy(p => p.OnAny(RecoveryStrategy.ReplaceWithSpare)).Build();

        Assert.Equal(RecoveryStrategy.ReplaceWithSpare, spec.Policy.Rules[0].Rungs[0].Strategy);
    }
}
