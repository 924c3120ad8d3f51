using System.Diagnostics;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class CurlTests : ApiTest
{
    /// <summary>A client that knows nothing of .NET checks the certificate chain by itself.</summary>
    [Fact]
    public async Task Curl_WithTheClustersAuthority_Connects()
    {
        if (!File.Exists("/usr/bin/curl"))
        {
            return;
        }

        var authority = Path.Combine(Cluster.DataDirectory, "ca.crt");
        var configuration = Cluster.CreateClientConfiguration();
        await File.WriteAllTextAsync(authority, configuration.SslCaCerts[0].ExportCertificatePem());
        using var curl = Process.Start(new ProcessStartInfo("/usr/bin/curl")
        {
            ArgumentList =
            {
                "-sS", "--noproxy", "*", "--cacert", authority, "-H", $"Authorization: Bearer {configuration.AccessToken}",
                new Uri(Cluster.Address, "api/v1/namespaces/default/pods").ToString(),
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = curl.StandardOutput.ReadToEndAsync();
        var error = await curl.StandardError.ReadToEndAsync();
        await curl.WaitForExitAsync();
        Assert.Equal("", error);
        Assert.StartsWith("""{"kind":"PodList","apiVersion":"v1",""", await output, StringComparison.Ordinal);
    }
}
