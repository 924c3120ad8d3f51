namespace TrainingSupervisor.Core.Tests.Gangs;

public sealed class HealthValidatorTests
{
    [Fact]
    public void Build_WithHealthCheckAndPatterns_KeepsThem()
    {
        var role = Build(r => r.WithHealthCheck(["check"]).WithFailurePattern("Xid \\d+").WithFailurePattern("(?i)ecc")).Roles[^1];

        Assert.Equal("check", Assert.Single(role.HealthCheck!.Command));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), 3), (role.HealthCheck.Interval, role.HealthCheck.Timeout, role.HealthCheck.Failures));
        Assert.Equal(["Xid \\d+", "(?i)ecc"], role.FailurePatterns.AsEnumerable());
    }

    [Fact]
    public void Build_HealthCheckWithFourMistakes_NamesAllFourWithPaths()
    {
        var e = Assert.Throws<InvalidGangException>(() => Build(r => r.WithHealthCheck([], TimeSpan.Zero, TimeSpan.FromDays(2), failures: 0)));

        Assert.Equal(
            ["roles[eval].healthCheck.command", "roles[eval].healthCheck.interval", "roles[eval].healthCheck.timeout", "roles[eval].healthCheck.failures"],
            e.Problems.Select(p => p.Path));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("(", "no regular expression")]
    [InlineData("(?=x)", "backtracking")]
    [InlineData("(a)\\1", "backtracking")]
    [InlineData(".*", "matches an empty line")]
    [InlineData("x*", "matches an empty line")]
    public void Build_PatternThatCannotBe_IsNamedWithItsPath(string pattern, string problem)
    {
        var e = Assert.Throws<InvalidGangException>(() => Build(r => r.WithFailurePattern("good").WithFailurePattern(pattern)));

        var only = Assert.Single(e.Problems);
        Assert.Equal("roles[eval].failurePatterns[1]", only.Path);
        Assert.Contains(problem, only.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_TooManyOrTooLongPatterns_IsNamed()
    {
        var e = Assert.Throws<InvalidGangException>(() => Build(r =>
        {
            r.WithFailurePattern(new string('x', 1001));
            for (var i = 0; i < 32; i++) r.WithFailurePattern("x");
        }));

        Assert.Equal(["roles[eval].failurePatterns", "roles[eval].failurePatterns[0]"], e.Problems.Select(p => p.Path));
    }

    private static GangSpec Build(Action<RoleBuilder> more) => Specs.Gang(2, 0, g => g.AddRole("eval", r =>
    {
        r.WithImage("eval:1").WithCommand("eval").WithAgentInImage("/agent");
        more(r);
    })).Build();
}
