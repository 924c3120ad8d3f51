namespace TrainingSupervisor.Agent.Progress;

/// <summary>Reads what was appended to the progress file since the last look. One stat per look when nothing was.</summary>
internal sealed class ProgressFileTail(string path)
{
    /// <summary>One look reads no more, so that a worker that floods the file costs a bounded share of the agent's time and memory.</summary>
    internal const int MostPerLook = 1 << 20;

    private readonly LineBuffer _lines = new();
    private readonly byte[] _buffer = new byte[16384];
    private long _offset;

    internal void Truncate()
    {
        File.WriteAllBytes(path, []);
        _offset = 0;
        _lines.Clear();
    }

    /// <summary>The same where somebody else has emptied it.</summary>
    internal void Restart()
    {
        _offset = 0;
        _lines.Clear();
    }

    /// <summary>The next lines. The last look jumps to the end if there is too much between.</summary>
    internal List<string> Read(bool last = false)
    {
        var info = new FileInfo(path);
        if (!info.Exists)
            return [];
        var length = info.Length;
        if (length < _offset)
        {
            // Written with ">" rather than ">>".
            _offset = 0;
            _lines.Clear();
        }

        // Also where it was replaced by a pipe or a device: those have no length, and opening one might never return.
        if (length == _offset)
            return [];
        if (last && length - _offset > MostPerLook)
        {
            _offset = length - MostPerLook;
            _lines.Skip();
        }

        List<string> lines = [];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
        file.Position = _offset;
        int count;
        for (var left = MostPerLook; left > 0 && (count = file.Read(_buffer, 0, Math.Min(left, _buffer.Length))) > 0; left -= count)
        {
            _offset += count;
            lines.AddRange(_lines.Append(_buffer.AsSpan(0, count)));
        }

        return lines;
    }
}
