using System.Globalization;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>What the worker has said so far in this attempt.</summary>
internal sealed class ProgressTracker(Action<string> log)
{
    private Protocol.Progress _now = new() { Step = -1, Checkpoint = -1 };
    private bool _complained;

    internal Protocol.Progress Snapshot() => _now.Clone();

    internal bool SaidAnything { get; private set; }

    internal void Reset(int attempt)
    {
        _now = new Protocol.Progress { Attempt = attempt, Step = -1, Checkpoint = -1 };
        _complained = false;
        SaidAnything = false;
    }

    /// <summary>Takes in one line; says what kind of line it was.</summary>
    internal ProgressLine Accept(string line)
    {
        line = line.Trim();
        if (line.Length == 0)
            return ProgressLine.Ignored;
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var (word, rest) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
        switch (word)
        {
            case "step" when TryNumber(rest, out var step):
                _now.Step = step;
                break;
            case "checkpoint" when TryNumber(rest, out var saved):
                _now.Checkpoint = saved;
                SaidAnything = true;
                return ProgressLine.Checkpoint;
            case "phase" when rest.Length > 0:
                _now.Phase = rest;
                break;
            case "unhealthy":
                _now.Unhealthy = rest.Length > 0 ? rest : "the worker gave no reason";
                break;
            case "healthy" when rest.Length == 0:
                _now.Unhealthy = "";
                break;
            default:
                if (!_complained)
                    log($"a progress line that means nothing (further ones are not logged): {(line.Length <= 200 ? line : line[..200])}");
                _complained = true;
                return ProgressLine.Ignored;
        }

        SaidAnything = true;
        return ProgressLine.Progress;
    }

    private static bool TryNumber(string text, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}

internal enum ProgressLine
{
    Ignored,
    Progress,
    Checkpoint,
}
