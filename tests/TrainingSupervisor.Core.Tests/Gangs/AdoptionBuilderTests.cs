namespace TrainingSupervisor.Core.Tests.Gangs;

public sealed class AdoptionBuilderTests
{
    [Fact]
    public void Build_AdoptedRole_NeedsNoImageCommandOrAgent()
    {
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithCount(8).WithAdoptedPods("batch.kubernetes.io/job-name=llm")).Build();
        Assert.True(spec.IsAdopted);
        Assert.Equal(new AdoptedPods("batch.kubernetes.io/job-name=llm", "batch.kubernetes.io/job-completion-index"), spec.Roles[0].Adopted);
        Assert.False(Specs.Gang(1).Build().IsAdopted);
    }

    [Fact]
    public void Build_Mistakes_AreNamedWithTheirPaths()
    {
        var e = Assert.Throws<InvalidGangException>(() => Gang.Create("llm")
            .AddRole("a", r => r.WithAdoptedPods("").WithSpares(1))
            .AddRole("b", r => r.WithAdoptedPods("app=b", indexLabel: "no label").WithCommand(" ").WithSpares(1, "zone", "b"))
            .AddRole("c", r => r.WithImage("i").WithCommand("c").WithAgentInImage("/agent"))
            .Build());
        Assert.Equal(
            ["roles[b].command", "roles[a].adopted.selector", "roles[a].spares", "roles[b].adopted.indexLabel", "roles[b].spares", "roles[c].adopted"],
            e.Problems.Select(p => p.Path));
    }

    [Theory]
    [InlineData("job-name=llm", true)]
    [InlineData("batch.kubernetes.io/job-name=llm,team!=web, tier == gpu", true)]
    [InlineData("app in (a, b),!canary,zone notin (x),present", true)]
    [InlineData("app=", true)]
    [InlineData("", false)]
    [InlineData(" ", false)]
    [InlineData("app=a,", false)]
    [InlineData("app=a b", false)]
    [InlineData("app in a", false)]
    [InlineData("=a", false)]
    [InlineData("app=a&limit=1", false)]
    public void IsSelector_Text_IsJudgedAsKubernetesWould(string text, bool right) => Assert.Equal(right, LabelSelectors.IsSelector(text));
}
