namespace TrainingSupervisor.Core.Tests.Gangs;

public sealed class GangBuilderTests
{
    [Fact]
    public void Build_SixMistakes_NamesAllSixWithPaths()
    {
        var builder = Gang.Create("Bad Name").WithMasterPort(0).WithFence(TimeSpan.FromSeconds(1))
            .AddRole("trainer", r => r.WithCount(0).WithImage("train:1").WithAgentInImage("agent").WithEnvironment("RANK", "1").WithCommand("train"));
        var e = Assert.Throws<InvalidGangException>(builder.Build);

        Assert.Equal(
            ["name", "masterPort", "fence", "roles[trainer].count", "roles[trainer].agent", "roles[trainer].environment[RANK]"],
            e.Problems.Select(p => p.Path));
        Assert.All(e.Problems, p => Assert.Contains(p.ToString(), e.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Build_RuleForUnknownRole_NamesTheRoles()
    {
        var e = Assert.Throws<InvalidGangException>(() => Specs.Gang(2, 0, g => g
            .WithPolicy(p => p.On(FailureKind.Killed, r => r.InRole("trianer").Use(RecoveryStrategy.RecreateGang)))).Build());
        Assert.Contains("the roles are trainer", Assert.Single(e.Problems).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_Valid_FreezesWhatWasSaid()
    {
        var builder = Specs.Gang(3, 1);
        var spec = builder.Build();
        builder.AddRole("evaluator", r => r.WithCount(9));
        Assert.Equal(3, spec.WorldSize);
        Assert.Equal(1, spec.Roles[0].Spares);
    }
}
