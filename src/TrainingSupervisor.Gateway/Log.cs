using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Gateway;

internal static partial class Log
{
    [LoggerMessage(3001, LogLevel.Debug, "Gang {Gang}: {Command} for Pod {PodUid}, which is not connected")]
    public static partial void NotConnected(ILogger logger, string gang, string command, string podUid);

    [LoggerMessage(3002, LogLevel.Warning, "A connection from {Peer} was turned away: {Reason} (and {More} more of this kind since it was last said)")]
    public static partial void TurnedAway(ILogger logger, string peer, string reason, int more);

    [LoggerMessage(3003, LogLevel.Warning, "Gang {Gang}: the agent in Pod {Pod} does not read what it is told ({Waiting} messages wait); its stream is closed")]
    public static partial void Slow(ILogger logger, string gang, string pod, int waiting);

    [LoggerMessage(3004, LogLevel.Information, "Gang {Gang}: no word from the agent in Pod {Pod} for {Seconds:0.0} s; its stream is closed")]
    public static partial void Silent(ILogger logger, string gang, string pod, double seconds);

    [LoggerMessage(3005, LogLevel.Warning, "Gang {Gang}: this process did not run for {Seconds:0.0} s; its agents are given time to be heard again")]
    public static partial void Stalled(ILogger logger, string gang, double seconds);
}
