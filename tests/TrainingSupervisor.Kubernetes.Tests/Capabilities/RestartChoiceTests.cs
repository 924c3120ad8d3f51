namespace TrainingSupervisor.Kubernetes.Tests.Capabilities;

public sealed class RestartChoiceTests
{
    private static readonly GangSpec Anywhere = Gang.Create("any").AddRole("w", r => r.WithCount(5).WithImage("i").WithCommand("c").WithAgentFromImageVolume("a")).Build();

    /// <summary>The gang has two workers, each on a node of its own.</summary>
    [Theory]
    [InlineData(0, 0, true, null)]
    [InlineData(3, 3, true, null)]
    [InlineData(1, 1, true, null)]
    [InlineData(0, 3, false, "none of the 3 nodes declares RestartAllContainersOnContainerExits")]
    [InlineData(1, 3, false, "only 1 of 3 nodes declare RestartAllContainersOnContainerExits, and the gang needs 2")]
    [InlineData(2, 3, true, "2 of 3 nodes declare RestartAllContainersOnContainerExits, and the gang keeps to these")]
    public void Make_OnePerNode_CountsTheNodesThatDeclareIt(int able, int all, bool use, string? reason) =>
        Assert.Equal(new RestartChoice(use, reason), RestartChoice.Make(null, null, (able, all), Fixture.Spec));

    [Fact]
    public void Make_ManyPodsPerNode_OneNodeIsEnough() => Assert.True(RestartChoice.Make(null, null, (1, 3), Anywhere).UseRule);

    [Fact]
    public void Make_RefusedOrStarved_OutweighsTheNodes()
    {
        Assert.Equal(new RestartChoice(false, "too old"), RestartChoice.Make("too old", null, (3, 3), Fixture.Spec));
        Assert.False(RestartChoice.Make(null, "0/3 nodes are available", (3, 3), Fixture.Spec).UseRule);
    }
}
