using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Trainer;

/// <summary>Weights and momentum in a directory that all workers see. A file under its final name is whole.</summary>
internal sealed class Checkpoints(string directory)
{
    public int Newest(float[] weights, float[] momentum, Action<string> warn)
    {
        Directory.CreateDirectory(directory);
        foreach (var (step, path) in Files().OrderByDescending(f => f.Step))
        {
            if (TryLoad(path, step, weights, momentum)) return step;
            warn($"checkpoint {Path.GetFileName(path)} is damaged and skipped");
        }

        return 0;
    }

    public void Save(int step, float[] weights, float[] momentum)
    {
        var body = new byte[sizeof(int) + (weights.Length + momentum.Length) * sizeof(float)];
        BitConverter.TryWriteBytes(body, step);
        MemoryMarshal.AsBytes(weights.AsSpan()).CopyTo(body.AsSpan(sizeof(int)));
        MemoryMarshal.AsBytes(momentum.AsSpan()).CopyTo(body.AsSpan(sizeof(int) + (weights.Length * sizeof(float))));
        var path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"step-{step:D8}.ckpt"));
        using (var file = File.Create(path + ".tmp"))
        {
            file.Write(body);
            file.Write(SHA256.HashData(body));
            file.Flush(flushToDisk: true);
        }

        File.Move(path + ".tmp", path, overwrite: true);
        foreach (var (_, old) in Files().OrderByDescending(f => f.Step).Skip(2)) File.Delete(old);
    }

    private static bool TryLoad(string path, int step, float[] weights, float[] momentum)
    {
        var all = File.ReadAllBytes(path);
        var length = sizeof(int) + ((weights.Length + momentum.Length) * sizeof(float));
        if (all.Length != length + SHA256.HashSizeInBytes) return false;
        var body = all.AsSpan(0, length);
        if (!SHA256.HashData(body).AsSpan().SequenceEqual(all.AsSpan(length)) || BitConverter.ToInt32(body) != step) return false;
        MemoryMarshal.Cast<byte, float>(body.Slice(sizeof(int), weights.Length * sizeof(float))).CopyTo(weights);
        MemoryMarshal.Cast<byte, float>(body[(sizeof(int) + (weights.Length * sizeof(float)))..]).CopyTo(momentum);
        return true;
    }

    private IEnumerable<(int Step, string Path)> Files() =>
        Directory.EnumerateFiles(directory, "step-*.ckpt").Select(p => (int.Parse(Path.GetFileNameWithoutExtension(p).AsSpan(5), CultureInfo.InvariantCulture), p));
}
