using System.Globalization;
using UnhealthyBy = TrainingSupervisor.Protocol.Progress.Types.UnhealthyBy;

namespace TrainingSupervisor.Agent.Progress;

/// <summary>What is known of the worker in this attempt: what it has said so far, and what others have found of its health.</summary>
internal sealed class ProgressTracker(Action<string> log)
{
    private Protocol.Progress _now = new() { Step = -1, Checkpoint = -1 };
    private readonly List<string> _patterns = [];
    private string _ownWords = "", _health = "";
    private double _ownSeconds;
    private int _ownSteps;
    private bool _complained;

    internal bool SaidAnything { get; private set; }

    internal long Step => _now.Step;

    internal void Reset(int attempt)
    {
        _now = new Protocol.Progress { Attempt = attempt, Step = -1, Checkpoint = -1 };
        (_ownWords, _health) = ("", "");
        _patterns.Clear();
        (_ownSeconds, _ownSteps) = (0, 0);
        _complained = false;
        SaidAnything = false;
    }

    /// <summary>All but the step time, which belongs to the steps of the next report.</summary>
    internal Protocol.Progress Snapshot()
    {
        var said = _now.Clone();
        // What the worker says of itself is the nearest to the truth; a line on its stderr is its own word as well.
        Say(_ownWords, UnhealthyBy.Worker);
        foreach (var pattern in _patterns)
            Say(pattern, UnhealthyBy.LogPattern);
        Say(_health, UnhealthyBy.HealthCommand);
        return said;

        void Say(string words, UnhealthyBy by)
        {
            if (words.Length == 0)
                return;
            if (said.Unhealthy.Length == 0)
                (said.Unhealthy, said.UnhealthyBy) = (words, by);
            else
                said.Others.Add(new Protocol.Progress.Types.Ailment { Words = words, By = by });
        }
    }

    /// <summary>What is to be told now, with the mean of the worker's own step time since this was last asked.</summary>
    internal Protocol.Progress TakeReport()
    {
        var report = Snapshot();
        if (_ownSteps > 0)
            report.OwnSeconds = _ownSeconds / _ownSteps;
        (_ownSeconds, _ownSteps) = (0, 0);
        return report;
    }

    /// <summary>The health command has failed, or with no words: is well. True if that is new.</summary>
    internal bool SetHealth(string words) => Set(ref _health, words);

    /// <summary>A line of the worker's stderr means that it is broken, and stays until the next attempt.</summary>
    internal void AddPattern(string words)
    {
        _patterns.Add(words);
        SaidAnything = true;
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
            case "step" when TryStep(rest, out var step, out var own):
                _now.Step = step;
                if (own is { } seconds)
                    (_ownSeconds, _ownSteps) = (_ownSeconds + seconds, _ownSteps + 1);
                break;
            case "checkpoint" when TryNumber(rest, out var saved):
                _now.Checkpoint = saved;
                SaidAnything = true;
                return ProgressLine.Checkpoint;
            case "phase" when rest.Length > 0:
                _now.Phase = rest;
                break;
            case "unhealthy":
                _ownWords = rest.Length > 0 ? rest : "the worker gave no reason";
                break;
            case "healthy" when rest.Length == 0:
                _ownWords = "";
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

    private bool Set(ref string words, string now)
    {
        if (words == now)
            return false;
        words = now;
        SaidAnything = true;
        return true;
    }

    private static bool TryStep(string text, out long step, out double? own)
    {
        own = null;
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0)
            return TryNumber(text, out step);
        if (!TryNumber(text[..space], out step)
            || !double.TryParse(text[(space + 1)..].Trim(), NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var seconds)
            || !(seconds <= LongestStep))
            return false;
        own = seconds;
        return true;
    }

    /// <summary>A year. Whoever takes longer for a step has counted something else than seconds.</summary>
    private const double LongestStep = 365 * 24 * 3600.0;

    private static bool TryNumber(string text, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}

internal enum ProgressLine
{
    Ignored,
    Progress,
    Checkpoint,
}
