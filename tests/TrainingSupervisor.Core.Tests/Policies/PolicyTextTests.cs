using CsCheck;

namespace TrainingSupervisor.Core.Tests.Policies;

public sealed class PolicyTextTests
{
    private static void Same(Func<RecoveryPolicy, string> write) => Gen.Int.Sample(
        seed =>
        {
            var policy = RandomPolicy.Make(new Random(seed), TimeSpan.FromDays(20));
            Assert.Equal(policy, RecoveryPolicy.Parse(write(policy)));
        },
        iter: 2000);

    private static string[] Problems(string text) => [.. Assert.Throws<InvalidPolicyException>(() => RecoveryPolicy.Parse(text)).Problems.Select(p => p.ToString())];

    [Fact]
    public void ToJson_AnyPolicy_IsReadBackEqual() =>
        Same(p => p.ToJson());

    [Fact]
    public void ToYaml_AnyPolicy_IsReadBackEqual() =>
        Same(p => p.ToYaml());

    [Fact]
    public void Equals_OneThingDiffers_IsFalse()
    {
        var policy = RecoveryPolicy.Create(p => p.OnExitCode([3, 4], r => r.OnNode("pool", "spot").Use(RecoveryStrategy.Hybrid)).WithKindBudget(FailureKind.Hang, 2, TimeSpan.FromHours(1)));
        var rule = policy.Rules[0];
        RecoveryPolicy[] others =
        [
            policy with { Rules = [] },
            policy with { Rules = [rule with { ExitCodes = [4, 3] }] },
            policy with { Rules = [rule with { NodeLabels = rule.NodeLabels.SetItem("pool", "on-demand") }] },
            policy with { Rules = [rule with { Rungs = [rule.Rungs[0] with { AvoidNode = true }] }] },
            policy with { KindBudgets = policy.KindBudgets.Clear() },
            policy with { NodeBudget = null },
        ];
        Assert.All(others, o => Assert.NotEqual(policy, o));
        Assert.Equal(policy, policy with { Rules = [rule with { ExitCodes = [3, 4] }] });
    }

    [Fact]
    public void ToJson_Default_IsReadBackEqual() => Assert.Equal(RecoveryPolicy.Default, RecoveryPolicy.Parse(RecoveryPolicy.Default.ToJson()));

    [Fact]
    public void ToJson_ConditionInCode_SaysWhichRule()
    {
        var policy = RecoveryPolicy.Create(p => p.On(FailureKind.Hang, RecoveryStrategy.Ignore).OnAny(r => r.Where("it is Monday", _ => true).Use(RecoveryStrategy.Hybrid)));
        var problem = Assert.Single(Assert.Throws<InvalidPolicyException>(policy.ToJson).Problems);
        Assert.Equal("rules[1].where", problem.Path);
        Assert.Contains("it is Monday", problem.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidPolicyException>(policy.ToYaml);
    }

    [Fact]
    public void Parse_ManyMistakes_NamesEachWithPathAndLine()
    {
        var problems = Problems("""
            rules:
              - kinds: [OutofMemory, Fire]
                exitCodes: [300, x]
                use: Hybrid
              - signals: []
                role: trainer
                strategy: Hybrid
              - kinds: [Hang]
                use: Hybrid
                quiesce: soon
                then:
                  - use: FailGang
                    after: 0
            budget: {recoveries: 5}
            nodeBudget: null
            backof: {first: 1s}
            """);
        Assert.Collection(
            problems,
            p => Assert.Equal("rules[0].kinds[0]: line 2: There is no 'OutofMemory'; it is written OutOfMemory.", p),
            p => Assert.StartsWith("rules[0].kinds[1]: line 2: There is no 'Fire'; use one of ApplicationError, ", p),
            p => Assert.Equal("rules[0].exitCodes[1]: line 3: 'x' is no whole number.", p),
            p => Assert.Equal("rules[0].exitCodes[0]: line 3: 300 is no exit code of a failure; use 1 to 255.", p),
            p => Assert.StartsWith("rules[1].signals: line 5: The list is empty", p),
            p => Assert.Equal("rules[1].use: line 5: This is missing: the strategy.", p),
            p => Assert.StartsWith("rules[1].strategy: line 7: There is no such field; the fields here are name, kinds, ", p),
            p => Assert.StartsWith("rules[2].quiesce: line 10: 'soon' is no duration; write", p),
            p => Assert.StartsWith("rules[2].then[0].within: line 12: This is missing: ", p),
            p => Assert.StartsWith("rules[2].then[0].after: line 13: 0 recoveries; use 1 to 1000", p),
            p => Assert.StartsWith("budget.window: line 14: This is missing: ", p),
            p => Assert.StartsWith("backof: line 16: There is no such field; the fields here are rules, ", p));
    }

    [Theory]
    [InlineData("rules: [", "neither JSON nor YAML")]
    [InlineData("{\"rules\": [], \"rules\": []}", "Duplicate key")]
    [InlineData("[]", "must be a mapping")]
    [InlineData("", "There are 0 documents")]
    [InlineData("rules: {}\n", "must be a list")]
    [InlineData("rules: []\n---\nrules: []\n", "There are 2 documents")]
    [InlineData("rules: [7]", "must be a mapping")]
    [InlineData("workerBudget: {recoveries: 1, window: 1h, paidBackAfter: -1}", "must not be negative")]
    [InlineData("budget: null", "must be a mapping")]
    [InlineData("kindBudgets: {Fire: {recoveries: 1, window: 1h}}", "There is no 'Fire'")]
    [InlineData("rules: [{use: Hybrid, log: '(?<=x)y'}]", "no pattern that can be used")]
    [InlineData("rules: [{use: Hybrid, avoidNode: maybe}]", "neither true nor false")]
    [InlineData("rules: [{use: FailGang, nodeLabels: {}}]", "leave it out to match every failure")]
    public void Parse_Mistake_SaysWhatIsWrong(string text, string says) => Assert.Contains(Problems(text), p => p.Contains(says, StringComparison.Ordinal));

    [Fact]
    public void Parse_JsonWithTabs_IsRead()
    {
        var policy = RecoveryPolicy.Parse("{\n\t\"rules\":\t[\n\t\t{\"exitCodes\": [13],\n\t\t \"use\": \"FailGang\"}\n\t]\n}");
        Assert.Equal([13], policy.Rules[0].ExitCodes.AsEnumerable());
        Assert.Equal(RecoveryStrategy.FailGang, policy.Rules[0].Rungs[0].Strategy);
    }

    [Theory]
    [InlineData("10m", 600)]
    [InlineData("1h30m", 5400)]
    [InlineData("0.5s", 0.5)]
    [InlineData("2d", 172800)]
    [InlineData("0s", 0)]
    public void Parse_Duration_IsSeconds(string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), RecoveryPolicy.Parse($"rules: [{{use: Hybrid, quiesce: {text}}}]").Rules[0].Rungs[0].Quiesce);

    [Theory]
    [InlineData("10")]
    [InlineData("m")]
    [InlineData("-5s")]
    [InlineData("10m1h")]
    [InlineData("1m1m")]
    [InlineData("1 h")]
    [InlineData("00:10:00")]
    [InlineData("99999999999999999999d")]
    [InlineData("1h30")]
    public void Parse_NoDuration_IsAMistake(string text) =>
        Assert.Contains("is no duration", Assert.Single(Problems($"rules: [{{use: Hybrid, quiesce: '{text}'}}]")), StringComparison.Ordinal);
}
