using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Gateway;

internal static partial class Log
{
    [LoggerMessage(3001, LogLevel.Debug, "Gang {Gang}: {Command} for Pod {PodUid}, which is not connected")]
    public static partial void NotConnected(ILogger logger, string gang, string command, string podUid);
}
