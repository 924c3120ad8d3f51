namespace LocalTraining.Trainer;

/// <summary>
/// A character-level language model: the last characters as one-hot inputs, one hidden tanh layer, softmax over the next character.
/// All sums run in a fixed order, so that equal inputs give equal bits.
/// </summary>
internal sealed class CharModel
{
    private readonly int _context;
    private readonly int _hidden;
    private readonly float[] _activation;
    private readonly float[] _error;
    private readonly float[] _output;

    public CharModel(int symbols, int context, int hidden, int seed)
    {
        Symbols = symbols;
        _context = context;
        _hidden = hidden;
        _activation = new float[hidden];
        _error = new float[hidden];
        _output = new float[symbols];
        Weights = new float[(context * symbols * hidden) + hidden + (hidden * symbols) + symbols];
        Reset(seed);
    }

    public int Symbols { get; }
    public float[] Weights { get; }

    /// <summary>The weights as they are before the first step.</summary>
    public void Reset(int seed)
    {
        var random = new Random(seed);
        var scale = 1f / MathF.Sqrt(_hidden);
        for (var i = 0; i < Weights.Length; i++) Weights[i] = ((float)random.NextDouble() - 0.5f) * scale;
    }

    /// <summary>Adds the gradient of one prediction and returns its loss.</summary>
    public float Accumulate(ReadOnlySpan<byte> text, int at, Span<float> gradient)
    {
        var bias1 = _context * Symbols * _hidden;
        var out0 = bias1 + _hidden;
        var bias2 = out0 + (_hidden * Symbols);
        Array.Copy(Weights, bias1, _activation, 0, _hidden);
        for (var c = 0; c < _context; c++)
        {
            var row = Weights.AsSpan(((c * Symbols) + text[at - _context + c]) * _hidden, _hidden);
            for (var h = 0; h < row.Length; h++) _activation[h] += row[h];
        }

        for (var h = 0; h < _hidden; h++) _activation[h] = MathF.Tanh(_activation[h]);
        Array.Copy(Weights, bias2, _output, 0, Symbols);
        for (var h = 0; h < _hidden; h++)
        {
            var a = _activation[h];
            var row = Weights.AsSpan(out0 + (h * Symbols), Symbols);
            for (var s = 0; s < row.Length; s++) _output[s] += a * row[s];
        }

        var loss = Softmax(text[at]);
        for (var s = 0; s < Symbols; s++) gradient[bias2 + s] += _output[s];
        for (var h = 0; h < _hidden; h++)
        {
            var a = _activation[h];
            var row = Weights.AsSpan(out0 + (h * Symbols), Symbols);
            var g = gradient.Slice(out0 + (h * Symbols), Symbols);
            var back = 0f;
            for (var s = 0; s < row.Length; s++)
            {
                g[s] += a * _output[s];
                back += row[s] * _output[s];
            }

            _error[h] = back * (1 - (a * a));
            gradient[bias1 + h] += _error[h];
        }

        for (var c = 0; c < _context; c++)
        {
            var g = gradient.Slice(((c * Symbols) + text[at - _context + c]) * _hidden, _hidden);
            for (var h = 0; h < g.Length; h++) g[h] += _error[h];
        }

        return loss;
    }

    /// <summary>Turns the outputs into the gradient of the cross-entropy, and returns the loss.</summary>
    private float Softmax(int target)
    {
        var max = float.NegativeInfinity;
        foreach (var o in _output) max = MathF.Max(max, o);
        var sum = 0f;
        for (var s = 0; s < _output.Length; s++)
        {
            _output[s] = MathF.Exp(_output[s] - max);
            sum += _output[s];
        }

        for (var s = 0; s < _output.Length; s++) _output[s] /= sum;
        var loss = -MathF.Log(MathF.Max(_output[target], 1e-12f));
        _output[target] -= 1;
        return loss;
    }
}
