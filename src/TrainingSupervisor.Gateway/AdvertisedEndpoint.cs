using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace TrainingSupervisor.Gateway;

/// <summary>What agents are told to connect to, as <c>https://host:port</c>.</summary>
internal static class AdvertisedEndpoint
{
    public static string Of(GatewayOptions options, int port)
    {
        var address = options.AdvertisedAddress?.Trim();
        if (string.IsNullOrEmpty(address)) return Url(Own(options.ListenAddress), port);
        if (address.StartsWith("https://", StringComparison.OrdinalIgnoreCase)) return address;
        // TryParse would take "[fd00::1]:443" as well, and drop the port.
        if (!address.Contains("]:", StringComparison.Ordinal) && IPAddress.TryParse(address, out var ip)) return Url(ip, port);
        return address.Contains(':', StringComparison.Ordinal) ? $"https://{address}" : $"https://{address}:{port}";
    }

    private static string Url(IPAddress address, int port) => $"https://{new IPEndPoint(address, port)}";

    /// <summary>The address that is listened on; if that is any, this machine's first that is not loopback.</summary>
    private static IPAddress Own(IPAddress listen)
    {
        if (!listen.Equals(IPAddress.Any) && !listen.Equals(IPAddress.IPv6Any)) return listen;
        return NetworkInterface.GetAllNetworkInterfaces()
            .Where(n => n.OperationalStatus == OperationalStatus.Up && n.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(n => n.GetIPProperties().UnicastAddresses)
            .FirstOrDefault(a => a.Address.AddressFamily == AddressFamily.InterNetwork)?.Address ?? IPAddress.Loopback;
    }
}
