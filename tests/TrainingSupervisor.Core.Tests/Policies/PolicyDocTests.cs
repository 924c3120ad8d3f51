namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>What docs/policy.md shows is what is.</summary>
public sealed class PolicyDocTests
{
    private static readonly string[] Blocks = [.. Page().Split("```yaml\n").Skip(1).Select(b => b[..b.IndexOf("```", StringComparison.Ordinal)])];

    [Fact]
    public void Page_PolicyInCodeAndAsYaml_AreTheSame()
    {
        var policy = RecoveryPolicy.Create(p => p
            // A bad configuration: exit code 64 is not cured by trying again.
            .OnExitCode([64], RecoveryStrategy.FailGang)
            // Out of memory: twice it may be bad luck. The third time within ten minutes the gang fails.
            .On(FailureKind.OutOfMemory, r => r.InRole("trainer").Use(RecoveryStrategy.Hybrid)
                .Then(RecoveryStrategy.FailGang, after: 2, within: TimeSpan.FromMinutes(10)))
            // A broken accelerator shows in the worker's stderr: off that node.
            .OnLog("Xid.*(79|94|95)", r => r.Use(RecoveryStrategy.RecreateFailed).AvoidNode())
            // Spot nodes die often. Wait a little longer each time.
            .On([FailureKind.NodeLost, FailureKind.Evicted], r => r.OnNode("pool", "spot").Use(RecoveryStrategy.Hybrid)
                .AvoidNode().Backoff(TimeSpan.FromSeconds(5), longest: TimeSpan.FromMinutes(2)))
            .WithBudget(50, TimeSpan.FromHours(6))
            .WithWorkerBudget(5, TimeSpan.FromHours(1)));

        Assert.Equal(policy, RecoveryPolicy.Parse(Blocks[0]));
        Assert.Equal(policy, RecoveryPolicy.Parse(policy.ToJson()));
        Specs.Gang(more: g => g.WithPolicy(policy)).Build();
    }

    [Fact]
    public void Page_Defaults_AreThoseInForce() => Assert.Equal(RecoveryPolicy.Default.Rules.AsEnumerable(), RecoveryPolicy.Parse(Blocks[1]).Rules.AsEnumerable());

    [Fact]
    public void Page_Strategies_AreAllThere() =>
        Assert.All(Enum.GetNames<RecoveryStrategy>(), s => Assert.Contains($"\n| `{s}` |", Page(), StringComparison.Ordinal));

    [Fact]
    public void Page_KindsOfTheNodeBudget_AreThoseThatCount() =>
        Assert.All(Enum.GetValues<FailureKind>(), k => Assert.Equal(k.MayBlameNode(), NodeBudgetKinds().Contains($"`{k}`", StringComparison.Ordinal)));

    private static string NodeBudgetKinds()
    {
        var start = Page().IndexOf("The node budget counts only", StringComparison.Ordinal);
        return Page()[start..Page().IndexOf("A program that exits", start, StringComparison.Ordinal)];
    }

    private static string Page()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "docs", "policy.md"))) folder = folder.Parent ?? throw new InvalidOperationException("This runs outside the repository.");
        return File.ReadAllText(Path.Combine(folder.FullName, "docs", "policy.md"));
    }
}
