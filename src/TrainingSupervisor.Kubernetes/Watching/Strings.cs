using System.Text;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// One string for equal bytes, found without making a new one. A table of fixed size that forgets on collision, so that it cannot grow with
/// whatever names a cluster sees in its life. Safe from many threads: a slot is read and written as a whole.
/// </summary>
internal static class Strings
{
    private const int Slots = 1 << 15;
    private const int Longest = 128;

    private static readonly string?[] Table = new string?[Slots];

    /// <summary>Null for what is not worth it, or needs decoding first: long text, escapes, anything but ASCII.</summary>
    public static string? Intern(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > Longest) return null;
        var hash = new HashCode();
        hash.AddBytes(utf8);
        ref var slot = ref Table[hash.ToHashCode() & (Slots - 1)];
        if (slot is { } known && Ascii.Equals(utf8, known)) return known;
        if (!Ascii.IsValid(utf8) || utf8.Contains((byte)'\\')) return null;
        return slot = Encoding.ASCII.GetString(utf8);
    }
}
