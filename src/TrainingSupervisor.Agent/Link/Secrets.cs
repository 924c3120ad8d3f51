using System.Security.Cryptography;

namespace TrainingSupervisor.Agent.Link;

/// <summary>What the gang's Secret says at this moment.</summary>
internal sealed record Secrets(string Token, byte[] Certificate, IReadOnlyList<Uri> Endpoints)
{
    internal static Secrets Read(string directory)
    {
        var token = File.ReadAllText(Path.Combine(directory, "token")).Trim();
        var pem = File.ReadAllText(Path.Combine(directory, "tls.crt"));
        var fields = PemEncoding.Find(pem);
        List<Uri> endpoints = [];
        foreach (var line in File.ReadAllLines(Path.Combine(directory, "endpoint")))
        {
            if (line.Trim() is { Length: > 0 } text)
                endpoints.Add(Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == "https"
                    ? uri : throw new InvalidDataException($"the endpoint '{text}' is no https URL"));
        }

        if (token.Length == 0 || endpoints.Count == 0)
            throw new InvalidDataException("the gang's secret has no token or no endpoint");
        return new Secrets(token, Convert.FromBase64String(pem[fields.Base64Data]), endpoints);
    }
}
