using System.Collections.Immutable;

namespace TrainingSupervisor.Core.Tests.Recovery;

public sealed class RestartCodesTests
{
    [Fact]
    public void Of_NoRules_IsAllButTheAgentsOwnStartErrorsAndWhatMayBeOutOfMemory() =>
        Assert.Equal(Enumerable.Range(1, 255).Except([88, 128, 137]), Of(_ => { }).AsEnumerable());

    [Theory]
    [InlineData(RecoveryStrategy.RecreateGang)]
    [InlineData(RecoveryStrategy.FailGang)]
    [InlineData(RecoveryStrategy.Ignore)]
    public void Of_ACodeForWhichThePolicyDoesSomethingElse_LeavesItOut(RecoveryStrategy strategy)
    {
        var codes = Of(p => p.OnExitCode([13], strategy));

        Assert.DoesNotContain(13, codes);
        Assert.Contains(12, codes);
    }

    [Fact]
    public void Of_RulesThatOverlap_FirstMatchWins()
    {
        var codes = Of(p => p.OnExitCode([7], RecoveryStrategy.RestartGangInPlace).On(FailureKind.ApplicationError, RecoveryStrategy.FailGang));

        Assert.Equal([7, .. Enumerable.Range(129, 64).Except([137])], codes.AsEnumerable());
    }

    [Fact]
    public void Of_AKindThatSharesItsCodeWithAnother_NeedsBothInPlace()
    {
        Assert.DoesNotContain(137, Of(p => p.On(FailureKind.OutOfMemory, RecoveryStrategy.FailGang)));
        Assert.Contains(143, Of(p => p.On(FailureKind.OutOfMemory, RecoveryStrategy.FailGang)));
        Assert.DoesNotContain(143, Of(p => p.On(FailureKind.Killed, RecoveryStrategy.RecreateGang)));
    }

    [Fact]
    public void Of_ARuleForAnotherRole_IsNone()
    {
        var spec = Spec(p => p.On(FailureKind.ApplicationError, r => r.InRole("trainer").Use(RecoveryStrategy.FailGang)));

        Assert.Contains(3, RestartCodes.Of(spec, spec.Role("side")));
        Assert.DoesNotContain(3, RestartCodes.Of(spec, spec.Role("trainer")));
    }

    private static ImmutableArray<int> Of(Action<PolicyBuilder> policy)
    {
        var spec = Spec(policy);
        return RestartCodes.Of(spec, spec.Role("side"));
    }

    private static GangSpec Spec(Action<PolicyBuilder> policy) => Specs.Gang(2, 0, g => g
        .AddRole("side", r => r.WithImage("app:1").WithAgentFromImageVolume("agent:1").AsSidecar()).WithPolicy(policy)).Build();
}
