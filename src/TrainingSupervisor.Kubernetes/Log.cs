using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Kubernetes;

internal static partial class Log
{
    [LoggerMessage(2001, LogLevel.Debug, "The watch of {What} was interrupted: {Reason}")]
    public static partial void WatchInterrupted(ILogger logger, string what, string reason);

    [LoggerMessage(2002, LogLevel.Warning, "Gang {Gang}: going on without the right to {What}, so lost nodes are noticed later. {Reason}")]
    public static partial void WatchingWithout(ILogger logger, string gang, string what, string reason);

    [LoggerMessage(2003, LogLevel.Information, "Gang {Gang}: waiting to lead it; {Holder} holds the Lease")]
    public static partial void WaitingToLead(ILogger logger, string gang, string holder);

    [LoggerMessage(2004, LogLevel.Warning, "The watch of {What} has not come through for {Seconds:0} s: {Reason}; trying on")]
    public static partial void WatchTroubled(ILogger logger, string what, double seconds, string reason);

    [LoggerMessage(2005, LogLevel.Information, "The watch of {What} works again")]
    public static partial void WatchRestored(ILogger logger, string what);

    [LoggerMessage(2006, LogLevel.Warning, "Gang {Gang}: restarts in place are not used: {Reason}. Agents restart processes instead")]
    public static partial void NotInPlace(ILogger logger, string gang, string reason);

    [LoggerMessage(2007, LogLevel.Information, "Gang {Gang}: restarts in place are used: {Reason}")]
    public static partial void InPlace(ILogger logger, string gang, string reason);

    [LoggerMessage(2008, LogLevel.Debug, "Gang {Gang}: its Lease could not be read or written: {Reason}")]
    public static partial void LeaseTrouble(ILogger logger, string gang, string reason);
}
