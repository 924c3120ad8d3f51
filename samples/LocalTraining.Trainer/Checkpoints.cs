using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Trainer;

/// <summary>
/// Weights and momentum in a directory that all workers see. A file is written aside, flushed to disk and renamed: under its final name it is
/// whole, and its hash says so again when it is read. The last two are kept, so that there is one to go back to.
/// </summary>
internal sealed class Checkpoints(string directory)
{
    private const int Kept = 2;

    /// <summary>Loads the newest checkpoint that is whole and returns its step; 0 if there is none.</summary>
    /// <param name="most">No later step than this.</param>
    public int Load(float[] weights, float[] momentum, Action<string> warn, int most = int.MaxValue)
    {
        Directory.CreateDirectory(directory);
        foreach (var (step, path) in Files().Where(f => f.Step <= most).OrderByDescending(f => f.Step))
        {
            if (TryLoad(path, step, weights, momentum)) return step;
            warn($"checkpoint {Path.GetFileName(path)} is damaged and skipped");
        }

        return 0;
    }

    /// <exception cref="IOException">It could not be written; the older ones are untouched.</exception>
    public void Save(int step, float[] weights, float[] momentum)
    {
        var path = Path.Combine(directory, NameOf(step));
        var aside = path + ".tmp";
        try
        {
            Write(aside, Encode(step, weights, momentum));
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(aside);
            throw new IOException($"cannot write {Path.GetFileName(path)}: {e.Message.TrimEnd('.')}. The checkpoint before it is kept", e);
        }

        foreach (var (_, old) in Files().OrderByDescending(f => f.Step).Skip(Kept)) TryDelete(old);
    }

    public static string NameOf(int step) => string.Create(CultureInfo.InvariantCulture, $"step-{step:D8}.ckpt");

    private static byte[] Encode(int step, float[] weights, float[] momentum)
    {
        var length = BodyLength(weights, momentum);
        var all = new byte[length + SHA256.HashSizeInBytes];
        BitConverter.TryWriteBytes(all, step);
        MemoryMarshal.AsBytes(weights.AsSpan()).CopyTo(all.AsSpan(sizeof(int)));
        MemoryMarshal.AsBytes(momentum.AsSpan()).CopyTo(all.AsSpan(sizeof(int) + (weights.Length * sizeof(float))));
        SHA256.HashData(all.AsSpan(0, length), all.AsSpan(length));
        return all;
    }

    private static void Write(string path, byte[] content)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    private static bool TryLoad(string path, int step, float[] weights, float[] momentum)
    {
        var all = File.ReadAllBytes(path);
        var length = BodyLength(weights, momentum);
        if (all.Length != length + SHA256.HashSizeInBytes) return false;
        var body = all.AsSpan(0, length);
        if (!SHA256.HashData(body).AsSpan().SequenceEqual(all.AsSpan(length)) || BitConverter.ToInt32(body) != step) return false;
        MemoryMarshal.Cast<byte, float>(body.Slice(sizeof(int), weights.Length * sizeof(float))).CopyTo(weights);
        MemoryMarshal.Cast<byte, float>(body[(sizeof(int) + (weights.Length * sizeof(float)))..]).CopyTo(momentum);
        return true;
    }

    private static int BodyLength(float[] weights, float[] momentum) => sizeof(int) + ((weights.Length + momentum.Length) * sizeof(float));

    /// <summary>What is not ours to read, by its name, is left alone.</summary>
    private List<(int Step, string Path)> Files() =>
        [.. from path in Directory.EnumerateFiles(directory, "step-*.ckpt")
            let step = int.TryParse(Path.GetFileNameWithoutExtension(path).AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : -1
            where step >= 0
            select (step, path)];

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // One file too many harms nobody.
        }
    }
}
