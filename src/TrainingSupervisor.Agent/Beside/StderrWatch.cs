using TrainingSupervisor.Agent.Progress;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>Looks for the first line of one attempt's stderr that a failure pattern matches. Fed by the thread that reads the pipe.</summary>
internal sealed class StderrWatch(Func<FailurePatterns> patterns, Action<string> found)
{
    // A progress bar writes over itself for hours: what follows it on the same line would be too far from its beginning to be looked at.
    private readonly LineBuffer _lines = new(LineBuffer.Longest, returnEnds: true);
    private bool _done;

    internal void Take(ReadOnlySpan<byte> bytes)
    {
        if (_done)
            return;
        var now = patterns();
        if (now.IsEmpty)
        {
            // Patterns may come with a later welcome, and must not be tried on half a line.
            var end = bytes.LastIndexOfAny((byte)'\n', (byte)'\r');
            if (end >= 0)
                _lines.Clear();
            _lines.Append(bytes[(end + 1)..]);
            return;
        }

        foreach (var line in _lines.Append(bytes))
        {
            if (now.Match(line) is not { } words)
                continue;
            _done = true;
            found(words);
            return;
        }
    }
}
