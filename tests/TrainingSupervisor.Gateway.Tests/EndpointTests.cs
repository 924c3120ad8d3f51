using System.Net;
using System.Net.Sockets;

namespace TrainingSupervisor.Gateway.Tests;

public sealed class EndpointTests
{
    [Theory]
    [InlineData("gateway.ns.svc", "https://gateway.ns.svc:4711")]
    [InlineData("gateway.ns.svc:443", "https://gateway.ns.svc:443")]
    [InlineData("https://gateway.ns.svc:443", "https://gateway.ns.svc:443")]
    [InlineData("10.1.2.3", "https://10.1.2.3:4711")]
    [InlineData("fd00::1", "https://[fd00::1]:4711")]
    [InlineData("[fd00::1]:443", "https://[fd00::1]:443")]
    public void Of_AnAdvertisedAddress_IsAnHttpsUrl(string advertised, string expected) =>
        Assert.Equal(expected, AdvertisedEndpoint.Of(new GatewayOptions { AdvertisedAddress = advertised }, 4711));

    [Fact]
    public void Of_AListenAddress_IsWhatIsListenedOn()
    {
        Assert.Equal("https://127.0.0.1:4711", AdvertisedEndpoint.Of(new GatewayOptions { ListenAddress = IPAddress.Loopback }, 4711));
        Assert.DoesNotContain("0.0.0.0", AdvertisedEndpoint.Of(new GatewayOptions(), 4711), StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_OnAPortThatIsTaken_SaysSo()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var gateway = new AgentGateway(new GatewayOptions { ListenAddress = IPAddress.Loopback, Port = port }, TimeProvider.System, new CapturedLog());

        var e = await Assert.ThrowsAsync<SupervisorException>(() => gateway.StartAsync(CancellationToken.None));

        Assert.Contains($"127.0.0.1:{port}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_WithACertificateThatIsNone_SaysWhichGangsWithoutTheKey()
    {
        await using var gateway = await GatewayFixture.StartAsync();

        var e = Assert.Throws<SupervisorException>(() => gateway.Serve(credentials: new Ports.GangCredentials("the-token", "no certificate", "the-key")));

        Assert.Contains("gang 'llm'", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("the-key", e.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("the-token", e.ToString(), StringComparison.Ordinal);
    }
}
