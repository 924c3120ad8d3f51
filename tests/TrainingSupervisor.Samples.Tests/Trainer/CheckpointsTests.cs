using LocalTraining.Trainer;

namespace TrainingSupervisor.Samples.Tests.Trainer;

public sealed class CheckpointsTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly List<string> _warnings = [];
    private readonly Checkpoints _checkpoints;

    public CheckpointsTests() => _checkpoints = new Checkpoints(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Load_NothingThere_IsStepZero() => Assert.Equal(0, Load().Step);

    [Fact]
    public void Load_SeveralSaved_IsTheNewestAndTwoAreKept()
    {
        foreach (var step in new[] { 10, 20, 30 }) Save(step);

        Assert.Equal((30, 30f, -30f), Load());
        Assert.Equal(["step-00000020.ckpt", "step-00000030.ckpt"], Names());
    }

    [Fact]
    public void Load_WithLimit_IsTheNewestUpToIt()
    {
        foreach (var step in new[] { 10, 20 }) Save(step);

        Assert.Equal((10, 10f, -10f), Load(most: 19));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(36)]
    [InlineData(59)]
    public void Load_NewestIsTorn_IsTheOneBefore(int bytes)
    {
        Save(10);
        Save(20);
        var path = _directory[Checkpoints.NameOf(20)];
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..bytes]);

        Assert.Equal((10, 10f, -10f), Load());
        Assert.Equal(["checkpoint step-00000020.ckpt is damaged and skipped"], _warnings);
    }

    [Fact]
    public void Load_AnyBitOfTheNewestIsFlipped_IsTheOneBefore()
    {
        Save(10);
        Save(20);
        var path = _directory[Checkpoints.NameOf(20)];
        var whole = File.ReadAllBytes(path);
        for (var i = 0; i < whole.Length; i++)
        {
            var damaged = whole.ToArray();
            damaged[i] ^= 4;
            File.WriteAllBytes(path, damaged);
            Assert.Equal((10, 10f, -10f), Load());
        }

        File.WriteAllBytes(path, whole);
        Assert.Equal(20, Load().Step);
    }

    [Fact]
    public void Load_CheckpointUnderAnotherStepsName_IsSkipped()
    {
        Save(10);
        File.Copy(_directory[Checkpoints.NameOf(10)], _directory[Checkpoints.NameOf(40)]);

        Assert.Equal(10, Load().Step);
    }

    [Fact]
    public void Load_ForeignAndUnfinishedFiles_AreLeftAlone()
    {
        Save(10);
        _directory.Write("step-final.ckpt", "notes");
        _directory.Write(Checkpoints.NameOf(20) + ".tmp", "half");

        Assert.Equal(10, Load().Step);
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Save_DiskFull_SaysSoAndKeepsTheOlder()
    {
        Save(10);
        // What the kernel answers to each write there is ENOSPC.
        File.CreateSymbolicLink(_directory[Checkpoints.NameOf(20) + ".tmp"], "/dev/full");
        var error = Assert.Throws<IOException>(() => Save(20));

        Assert.Contains("cannot write step-00000020.ckpt", error.Message, StringComparison.Ordinal);
        Assert.Contains("No space left on device", error.Message, StringComparison.Ordinal);
        Assert.Equal((10, 10f, -10f), Load());
        Assert.Equal(["step-00000010.ckpt"], Names());
    }

    private void Save(int step) => _checkpoints.Save(step, [step, 1, 2], [-step, 3, 4]);

    private (int Step, float Weight, float Momentum) Load(int most = int.MaxValue)
    {
        var (weights, momentum) = (new float[3], new float[3]);
        var step = _checkpoints.Load(weights, momentum, _warnings.Add, most);
        return (step, weights[0], momentum[0]);
    }

    private string[] Names() => [.. Directory.EnumerateFiles(_directory.Path).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];
}
