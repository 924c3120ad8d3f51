using Microsoft.Extensions.Logging;

namespace TrainingSupervisor;

internal static partial class Log
{
    [LoggerMessage(1001, LogLevel.Information, "Gang {Gang}: leading with term {Term}, attempt {Attempt}, {Phase}")]
    public static partial void Leading(ILogger logger, string gang, long term, int attempt, GangPhase phase);

    [LoggerMessage(1002, LogLevel.Warning, "Gang {Gang}: not leading any more: {Reason}")]
    public static partial void LeadershipLost(ILogger logger, string gang, string reason);

    [LoggerMessage(1003, LogLevel.Error, "Gang {Gang}: supervision has ended")]
    public static partial void SupervisionEnded(ILogger logger, Exception exception, string gang);

    [LoggerMessage(1005, LogLevel.Error, "Gang {Gang}: an observer of its events threw")]
    public static partial void ObserverFailed(ILogger logger, Exception exception, string gang);

    [LoggerMessage(1006, LogLevel.Error, "Gang {Gang}: failure detector {Detector} failed")]
    public static partial void DetectorFailed(ILogger logger, Exception exception, string gang, string detector);

    [LoggerMessage(1007, LogLevel.Debug, "Gang {Gang}: what failure detector {Detector} says is left aside, since the gang is not led here now")]
    public static partial void ReportLeftAside(ILogger logger, string gang, string detector);

    [LoggerMessage(1010, LogLevel.Information, "Gang {Gang}: {Phase}, attempt {Attempt}: {Reason}")]
    public static partial void Phase(ILogger logger, string gang, GangPhase phase, int attempt, string reason);

    [LoggerMessage(1011, LogLevel.Warning, "Gang {Gang}: {Failure} (at {At:u}, seen by {SeenBy})")]
    public static partial void Failure(ILogger logger, string gang, Failure failure, DateTimeOffset at, string seenBy);

    [LoggerMessage(1012, LogLevel.Information, "Gang {Gang}: plan for attempt {Attempt}: {Summary} ({Reason}); cause: {Cause}")]
    public static partial void Planned(ILogger logger, string gang, int attempt, string summary, string reason, string cause);

    [LoggerMessage(1013, LogLevel.Information, "Gang {Gang}: attempt {Attempt} runs, {Seconds:0.000} s after the failure: {Cost}")]
    public static partial void Recovered(ILogger logger, string gang, int attempt, double seconds, string cost);

    [LoggerMessage(1014, LogLevel.Information, "Gang {Gang}: {Text}")]
    public static partial void Notice(ILogger logger, string gang, string text);
}
