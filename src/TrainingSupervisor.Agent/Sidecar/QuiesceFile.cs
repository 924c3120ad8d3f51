using System.Globalization;
using System.Text;

namespace TrainingSupervisor.Agent.Sidecar;

/// <summary>How a sidecar asks its worker to save, since it cannot send it a signal: a file that holds the deadline.</summary>
internal static class QuiesceFile
{
    internal static string Path(AgentOptions options) => System.IO.Path.Combine(options.Directory, "quiesce");

    /// <summary>False if it cannot be written: then nobody is asked.</summary>
    internal static bool TryWrite(AgentOptions options, DateTimeOffset deadline)
    {
        try
        {
            WholeFile.Write(Path(options), Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{deadline.ToUnixTimeSeconds()}\n")));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Write($"the worker cannot be asked to save: {e.Message}");
            return false;
        }
    }
}
