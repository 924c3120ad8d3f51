using LocalTraining.Running;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class WeightsComparisonTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Of_SameBits_IsIdentical() => Assert.True(Compare([1, float.NaN, -0f], [1, float.NaN, -0f]).Identical);

    [Theory]
    [InlineData(0f, -0f)]
    [InlineData(1f, 1.0000001f)]
    public void Of_OneWeightHasOtherBits_Differs(float first, float second)
    {
        var comparison = Compare([3, first, 5], [3, second, 5]);

        Assert.False(comparison.Identical);
        Assert.Equal((3, 1), (comparison.Weights, comparison.Different));
        Assert.NotEqual(comparison.First, comparison.Second);
    }

    [Fact]
    public void Of_OneFileIsShorter_Differs() => Assert.False(Compare([1, 2], [1]).Identical);

    [Fact]
    public void Of_BothEmpty_IsNoProof() => Assert.False(Compare([], []).Identical);

    [Fact]
    public void FlipBit_AnyFile_ChangesExactlyOneWeight()
    {
        var path = Write("a", [1, 2, 3, 4, 5]);
        var copy = Write("b", [1, 2, 3, 4, 5]);
        WeightsComparison.FlipBit(path);

        Assert.Equal(1, WeightsComparison.Of(path, copy).Different);
    }

    private WeightsComparison Compare(float[] first, float[] second) => WeightsComparison.Of(Write("a", first), Write("b", second));

    private string Write(string name, float[] weights)
    {
        File.WriteAllBytes(_directory[name], weights.SelectMany(BitConverter.GetBytes).ToArray());
        return _directory[name];
    }
}
