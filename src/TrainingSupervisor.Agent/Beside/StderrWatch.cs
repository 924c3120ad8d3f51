using TrainingSupervisor.Agent.Progress;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>
/// Looks for the first line of one attempt's stderr that each failure pattern matches: the policy may ignore one, and wait for another. What has
/// matched is not tried again, so that a flood of such lines costs nothing. Fed by the thread that reads the pipe.
/// </summary>
internal sealed class StderrWatch(Func<FailurePatterns> patterns, Action<string> found)
{
    /// <summary>All of them are said in every report of the worker's progress.</summary>
    internal const int MostFound = 8;

    // A progress bar writes over itself for hours: what follows it on the same line would be too far from its beginning to be looked at.
    private readonly LineBuffer _lines = new(LineBuffer.Longest, returnEnds: true);
    private readonly List<string> _matched = [];
    private FailurePatterns _known = FailurePatterns.None, _left = FailurePatterns.None;

    internal void Take(ReadOnlySpan<byte> bytes)
    {
        if (_matched.Count >= MostFound)
            return;
        var now = patterns();
        if (now != _known)
            (_known, _left) = (now, now.Without(_matched));
        if (_left.IsEmpty)
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
            while (_matched.Count < MostFound && _left.Match(line) is { } pattern)
            {
                _matched.Add(pattern);
                _left = _left.Without([pattern]);
                found(FailurePatterns.Words(line, pattern));
            }
        }
    }
}
