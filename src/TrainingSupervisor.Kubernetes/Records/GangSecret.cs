using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s.Models;
using TrainingSupervisor.Ports;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The gang's token and certificate. Pods mount all of it but the private key.</summary>
internal static class GangSecret
{
    public const string Token = "token";
    public const string Certificate = "tls.crt";
    public const string PrivateKey = "tls.key";
    public const string Endpoint = "endpoint";

    public static Dictionary<string, byte[]> Create(GangSpec spec, string endpoint, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = $"{spec.Name}.{spec.Namespace}.gang";
        var request = new CertificateRequest($"CN={(name.Length <= 64 ? name : "gang")}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
        return new Dictionary<string, byte[]>
        {
            [Token] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))),
            [Certificate] = Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()),
            [PrivateKey] = Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()),
            [Endpoint] = Encoding.ASCII.GetBytes(endpoint),
        };
    }

    public static GangCredentials Read(V1Secret secret)
    {
        string Get(string key) => secret.Data?.TryGetValue(key, out var value) == true
            ? Encoding.ASCII.GetString(value)
            : throw new SupervisorException($"Secret {secret.Metadata.Name} has no '{key}'; delete it and a new one will be made (its Pods must be recreated then).");
        return new GangCredentials(Get(Token), Get(Certificate), Get(PrivateKey));
    }
}
