namespace TrainingSupervisor.Agent.Progress;

/// <summary>Reads what was appended to the progress file since the last look. One stat per look when nothing was.</summary>
internal sealed class ProgressFileTail(string path)
{
    private readonly LineBuffer _lines = new();
    private readonly byte[] _buffer = new byte[16384];
    private long _offset;

    internal void Truncate()
    {
        File.WriteAllBytes(path, []);
        _offset = 0;
        _lines.Clear();
    }

    internal List<string> Read()
    {
        var info = new FileInfo(path);
        if (!info.Exists)
            return [];
        if (info.Length < _offset)
        {
            // Written with ">" rather than ">>".
            _offset = 0;
            _lines.Clear();
        }

        if (info.Length == _offset)
            return [];
        List<string> lines = [];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
        file.Position = _offset;
        int count;
        while ((count = file.Read(_buffer)) > 0)
        {
            _offset += count;
            lines.AddRange(_lines.Append(_buffer.AsSpan(0, count)));
        }

        return lines;
    }
}
