using System.Net;
using System.Net.Sockets;

namespace TrainingSupervisor.Samples.Tests.Trainer;

internal static class Ports
{
    /// <summary>A base port after which this many are free, below those that the system gives to outgoing connections.</summary>
    public static int FreeRange(int count)
    {
        while (true)
        {
            var start = Random.Shared.Next(10_000, 19_000);
            try
            {
                for (var port = start + 1; port <= start + count; port++)
                {
                    using var probe = new TcpListener(IPAddress.Loopback, port);
                    probe.Start();
                }

                return start;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
