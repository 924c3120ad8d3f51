using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LocalTraining.Trainer;

/// <summary>What the worker contract gives this process, and the lines that it may write. Without a gang it is alone.</summary>
internal sealed class Contract : IDisposable
{
    private FileStream? _progress;

    public int Rank { get; init; }
    public int Size { get; init; } = 1;
    public int Attempt { get; init; } = 1;
    public int Port { get; init; } = 29500;
    public IReadOnlyList<string> Addresses { get; init; } = ["127.0.0.1"];

    /// <summary>Reads the variables and files; what is there and makes no sense is an <see cref="ArgumentException"/>.</summary>
    public static Contract Read(Func<string, string?> variable)
    {
        int Number(string name, int otherwise) => variable(name) is not { Length: > 0 } text ? otherwise
            : int.TryParse(text, CultureInfo.InvariantCulture, out var n) && n >= 0 ? n
            : throw new ArgumentException($"{name} must be a whole number, not '{text}'");
        var size = Number("WORLD_SIZE", 1);
        var contract = new Contract
        {
            Rank = Number("RANK", 0),
            Size = size,
            Attempt = Number("GANG_ATTEMPT", 1),
            Port = Number("MASTER_PORT", 29500),
            Addresses = variable("GANG_ROSTER_FILE") is { Length: > 0 } roster ? ReadAddresses(roster) : ["127.0.0.1"],
        };
        if (contract.Addresses.Count != size) throw new ArgumentException($"WORLD_SIZE is {size}, but the roster has {contract.Addresses.Count} workers");
        if (contract.Rank >= size) throw new ArgumentException($"RANK is {contract.Rank}, but WORLD_SIZE is {size}");
        if (variable("GANG_PROGRESS_FILE") is { Length: > 0 } file)
        {
            contract._progress = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }

        return contract;
    }

    public void Say(string line) => _progress?.Write(Encoding.UTF8.GetBytes(line + "\n"));

    public void Dispose() => _progress?.Dispose();

    private static List<string> ReadAddresses(string file)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            return [.. json.RootElement.GetProperty("workers").EnumerateArray().Select(w => w.GetProperty("address").GetString()!)];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IOException)
        {
            throw new ArgumentException($"the roster {file} cannot be read: {e.Message}", e);
        }
    }
}
