namespace LocalTraining.Trainer;

/// <summary>The text as symbol numbers: one for each byte value that occurs.</summary>
internal sealed class Corpus
{
    public Corpus(ReadOnlySpan<byte> raw)
    {
        var used = raw.ToArray().Distinct().Order().ToArray();
        var number = new byte[256];
        for (var i = 0; i < used.Length; i++) number[used[i]] = (byte)i;
        Text = new byte[raw.Length];
        for (var i = 0; i < raw.Length; i++) Text[i] = number[raw[i]];
        Symbols = used.Length;
    }

    public byte[] Text { get; }
    public int Symbols { get; }

    /// <summary>All files as one text, in an order that does not depend on the command line's.</summary>
    public static Corpus Read(IEnumerable<string> files, int context)
    {
        var raw = files.Order(StringComparer.Ordinal).SelectMany(File.ReadAllBytes).ToArray();
        return raw.Length > context ? new Corpus(raw) : throw new ArgumentException($"the text has {raw.Length} bytes; more than {context} are needed");
    }

    /// <summary>Position of one sample of one step: a function of the seed and nothing else, whoever asks and whenever.</summary>
    public int Sample(int seed, int step, int index, int context)
    {
        var x = ((ulong)(uint)seed << 40) ^ ((ulong)(uint)step << 16) ^ (uint)index;
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return context + (int)((x ^ (x >> 31)) % (ulong)(Text.Length - context));
    }
}
