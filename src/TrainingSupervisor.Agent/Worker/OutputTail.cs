using System.Text;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>The last bytes of what was written to it.</summary>
internal sealed class OutputTail(int capacity)
{
    /// <summary>What is kept of the worker's stderr, and of what a command beside it has written.</summary>
    internal const int WorkerCapacity = 4096, CommandCapacity = 16384;

    private readonly Lock _gate = new();
    private readonly byte[] _ring = new byte[capacity];
    private long _written;

    internal void Append(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (bytes.Length > capacity)
            {
                _written += bytes.Length - capacity;
                bytes = bytes[^capacity..];
            }

            var at = (int)(_written % capacity);
            var first = Math.Min(bytes.Length, capacity - at);
            bytes[..first].CopyTo(_ring.AsSpan(at));
            bytes[first..].CopyTo(_ring);
            _written += bytes.Length;
        }
    }

    /// <summary>As text of UTF-8 that is no longer than the capacity, from the first whole line if anything had to be dropped.</summary>
    public override string ToString()
    {
        lock (_gate)
        {
            if (_written <= capacity)
                return Clean(_ring.AsSpan(0, (int)_written));
            var at = (int)(_written % capacity);
            Span<byte> all = [.. _ring.AsSpan(at), .. _ring.AsSpan(0, at)];
            var line = all.IndexOf((byte)'\n');
            // Unless that would cost most of it: a progress bar is one long line.
            if (line >= 0 && line < all.Length / 2)
                return Clean(all[(line + 1)..]);
            while (!all.IsEmpty && (all[0] & 0xC0) == 0x80)
                all = all[1..];
            return Clean(all);
        }
    }

    // A byte that is no UTF-8 becomes three of them, so the text may have to be cut again.
    private string Clean(ReadOnlySpan<byte> bytes) => Last(Encoding.UTF8.GetString(bytes), capacity);

    /// <summary>The end of a text, of at most so many bytes of UTF-8 and without half a character.</summary>
    internal static string Last(string text, int bytes)
    {
        var from = text.Length;
        for (var left = bytes; from > 0; from--)
        {
            var pair = from > 1 && char.IsSurrogatePair(text[from - 2], text[from - 1]);
            left -= Encoding.UTF8.GetByteCount(text, pair ? from - 2 : from - 1, pair ? 2 : 1);
            if (left < 0)
                break;
            if (pair)
                from--;
        }

        return text[from..];
    }
}
