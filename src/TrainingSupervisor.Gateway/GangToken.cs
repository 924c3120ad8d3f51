using System.Security.Cryptography;
using System.Text;

namespace TrainingSupervisor.Gateway;

/// <summary>The gang's token, as what it must hash to: so neither how much of a guess is right nor its length shows in the time, and nothing here can print it.</summary>
internal sealed class GangToken(string token)
{
    private readonly byte[] _expected = Hash("Bearer " + token);

    public bool Admits(string? authorization) => CryptographicOperations.FixedTimeEquals(Hash(authorization ?? ""), _expected);

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
