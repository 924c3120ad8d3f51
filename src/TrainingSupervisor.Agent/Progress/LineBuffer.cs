using System.Runtime.InteropServices;
using System.Text;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>Cuts bytes into lines. Of a line longer than 4 KiB only the beginning is kept, and that it was.</summary>
/// <param name="kept">So much of it.</param>
/// <param name="returnEnds">A carriage return ends a line as well.</param>
internal sealed class LineBuffer(int kept = LineBuffer.Kept, bool returnEnds = false)
{
    internal const int Longest = 4096, Kept = 256;
    internal const string Cut = "… (the line is too long)";
    private readonly List<byte> _partial = [];
    private bool _tooLong, _skipping;

    internal List<string> Append(ReadOnlySpan<byte> bytes)
    {
        List<string> lines = [];
        while (!bytes.IsEmpty)
        {
            var end = returnEnds ? bytes.IndexOfAny((byte)'\n', (byte)'\r') : bytes.IndexOf((byte)'\n');
            Take(end < 0 ? bytes : bytes[..end]);
            if (end < 0)
                break;
            if (!_skipping)
                lines.Add(Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_partial)) + (_tooLong ? Cut : ""));
            Clear();
            bytes = bytes[(end + 1)..];
        }

        return lines;
    }

    internal void Clear()
    {
        _partial.Clear();
        _tooLong = _skipping = false;
    }

    /// <summary>What comes next begins in the middle of a line, which is dropped.</summary>
    internal void Skip()
    {
        Clear();
        _skipping = true;
    }

    private void Take(ReadOnlySpan<byte> part)
    {
        if (_tooLong || _skipping)
            return;
        _partial.AddRange(part[..Math.Min(part.Length, Longest + 1 - _partial.Count)]);
        if (_partial.Count <= Longest)
            return;
        _tooLong = true;
        _partial.RemoveRange(kept, _partial.Count - kept);
    }
}
