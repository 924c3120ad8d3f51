using System.Text;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>Cuts bytes into lines. A line longer than 4 KiB is dropped whole.</summary>
internal sealed class LineBuffer
{
    private const int Longest = 4096;
    private readonly List<byte> _partial = [];
    private bool _tooLong;

    internal List<string> Append(ReadOnlySpan<byte> bytes)
    {
        List<string> lines = [];
        while (!bytes.IsEmpty)
        {
            var end = bytes.IndexOf((byte)'\n');
            var part = end < 0 ? bytes : bytes[..end];
            _tooLong |= _partial.Count + part.Length > Longest;
            if (!_tooLong)
                _partial.AddRange(part);
            if (end < 0)
                break;
            if (!_tooLong)
                lines.Add(Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_partial)));
            _partial.Clear();
            _tooLong = false;
            bytes = bytes[(end + 1)..];
        }

        return lines;
    }

    internal void Clear()
    {
        _partial.Clear();
        _tooLong = false;
    }
}
