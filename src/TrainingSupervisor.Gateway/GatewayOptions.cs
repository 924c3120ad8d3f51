using System.Net;

namespace TrainingSupervisor;

/// <summary>Where agents connect to this supervisor.</summary>
public sealed class GatewayOptions
{
    /// <summary>The address to listen on. Default: any.</summary>
    public IPAddress ListenAddress { get; set; } = IPAddress.Any;

    /// <summary>The port to listen on. Default 0: a free one.</summary>
    public int Port { get; set; }

    /// <summary>
    /// What agents are told: <c>host</c>, <c>host:port</c> or <c>https://host:port</c>. Default null: the address that is listened on; if that is
    /// any, this machine's first address that is not loopback. Behind a Service, name the Service.
    /// </summary>
    public string? AdvertisedAddress { get; set; }
}
