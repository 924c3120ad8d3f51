using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Kubernetes;

internal static partial class Log
{
    [LoggerMessage(2001, LogLevel.Debug, "The watch of {What} was interrupted: {Reason}")]
    public static partial void WatchInterrupted(ILogger logger, string what, string reason);

    [LoggerMessage(2002, LogLevel.Warning, "Going on without {What}, so lost nodes are noticed later: {Reason}")]
    public static partial void WatchingWithout(ILogger logger, string what, string reason);

    [LoggerMessage(2003, LogLevel.Information, "Gang {Gang}: waiting to lead it; {Holder} holds the Lease")]
    public static partial void WaitingToLead(ILogger logger, string gang, string holder);
}
