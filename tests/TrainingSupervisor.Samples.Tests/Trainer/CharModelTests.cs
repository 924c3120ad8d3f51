using LocalTraining.Trainer;

namespace TrainingSupervisor.Samples.Tests.Trainer;

public sealed class CharModelTests
{
    private const int Symbols = 5, Context = 3, Hidden = 4;
    private static readonly byte[] Text = [0, 3, 1, 4, 2, 2, 0, 1];

    [Fact]
    public void Accumulate_EveryWeight_GradientIsThatOfTheLoss()
    {
        var model = new CharModel(Symbols, Context, Hidden, seed: 7);
        var gradient = new float[model.Weights.Length];
        model.Accumulate(Text, 5, gradient);

        Assert.Contains(gradient, g => MathF.Abs(g) > 0.05f);
        for (var i = 0; i < gradient.Length; i++) Assert.Equal(Slope(model, i), gradient[i], 2e-3f);
    }

    [Fact]
    public void Accumulate_TwoSamples_AddsBoth()
    {
        var model = new CharModel(Symbols, Context, Hidden, seed: 7);
        var (first, second, both) = (new float[model.Weights.Length], new float[model.Weights.Length], new float[model.Weights.Length]);
        model.Accumulate(Text, 4, first);
        model.Accumulate(Text, 6, second);
        model.Accumulate(Text, 4, both);
        model.Accumulate(Text, 6, both);

        for (var i = 0; i < both.Length; i++) Assert.Equal(first[i] + second[i], both[i], 1e-6f);
    }

    [Fact]
    public void Accumulate_SameSeed_GivesTheSameBits()
    {
        var (a, b) = (Gradient(seed: 3), Gradient(seed: 3));

        Assert.Equal(a, b);
        Assert.NotEqual(a, Gradient(seed: 4));
    }

    [Fact]
    public void Reset_AfterTraining_GivesTheWeightsOfTheStart()
    {
        var model = new CharModel(Symbols, Context, Hidden, seed: 3);
        var start = model.Weights.ToArray();
        for (var i = 0; i < model.Weights.Length; i++) model.Weights[i] += 1;
        model.Reset(3);

        Assert.Equal(start, model.Weights);
    }

    private static float[] Gradient(int seed)
    {
        var model = new CharModel(Symbols, Context, Hidden, seed);
        var gradient = new float[model.Weights.Length];
        model.Accumulate(Text, 5, gradient);
        return gradient;
    }

    /// <summary>By finite differences, to both sides.</summary>
    private static float Slope(CharModel model, int weight)
    {
        const float Step = 0.01f;
        var scratch = new float[model.Weights.Length];
        var before = model.Weights[weight];
        model.Weights[weight] = before + Step;
        var above = model.Accumulate(Text, 5, scratch);
        model.Weights[weight] = before - Step;
        var below = model.Accumulate(Text, 5, scratch);
        model.Weights[weight] = before;
        return (above - below) / (2 * Step);
    }
}
