using System.Reflection;

namespace TrainingSupervisor.Core.Tests;

/// <summary>No kind of failure is without a test for what must be seen and one for what must be left alone.</summary>
public sealed class EveryKindTests
{
    private static readonly List<MethodInfo> Tests =
    [
        .. typeof(EveryKindTests).Assembly.GetTypes().SelectMany(t => t.GetMethods()).Where(m => m.GetCustomAttribute<FactAttribute>() is { Skip: null }),
    ];

    [Fact]
    public void EveryKind_HasATestThatSeesIt() => Assert.Empty(Enum.GetValues<FailureKind>().Except(Tests.SelectMany(t => t.GetCustomAttribute<SeesAttribute>()?.Kinds ?? [])));

    [Fact]
    public void EveryKind_HasATestThatLeavesAloneWhatIsNone() =>
        Assert.Empty(Enum.GetValues<FailureKind>().Except(Tests.SelectMany(t => t.GetCustomAttribute<LeavesAloneAttribute>()?.Kinds ?? [])));
}
