using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Running;

/// <summary>Whether two trainings ended with the same bits.</summary>
internal sealed record WeightsComparison(string First, string Second, int Weights, int Different)
{
    public bool Identical => Weights > 0 && Different == 0;

    /// <exception cref="IOException">One of the files is not there.</exception>
    public static WeightsComparison Of(string firstFile, string secondFile)
    {
        var (first, second) = (File.ReadAllBytes(firstFile), File.ReadAllBytes(secondFile));
        var a = MemoryMarshal.Cast<byte, int>(first);
        var b = MemoryMarshal.Cast<byte, int>(second);
        var different = Math.Abs(a.Length - b.Length);
        for (var i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            // As whole numbers: for floats NaN differs from itself, and 0 is -0.
            if (a[i] != b[i]) different++;
        }

        return new WeightsComparison(Hash(first), Hash(second), Math.Max(a.Length, b.Length), different);
    }

    public static string Hash(byte[] weights) => Convert.ToHexStringLower(SHA256.HashData(weights));

    /// <summary>Flips the lowest bit of one weight in the middle.</summary>
    public static void FlipBit(string file)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2 / sizeof(float) * sizeof(float)] ^= 1;
        File.WriteAllBytes(file, bytes);
    }
}
