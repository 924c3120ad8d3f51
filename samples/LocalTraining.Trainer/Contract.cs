using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LocalTraining.Trainer;

/// <summary>What the worker contract gives this process, and the lines that it may write.</summary>
internal sealed class Contract : IDisposable
{
    private readonly FileStream? _progress;

    public Contract()
    {
        Rank = Number("RANK", 0);
        Size = Number("WORLD_SIZE", 1);
        Attempt = Number("GANG_ATTEMPT", 1);
        Port = Number("MASTER_PORT", 29500);
        if (Environment.GetEnvironmentVariable("GANG_ROSTER_FILE") is { } roster)
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(roster));
            Addresses = [.. json.RootElement.GetProperty("workers").EnumerateArray().Select(w => w.GetProperty("address").GetString()!)];
        }

        if (Environment.GetEnvironmentVariable("GANG_PROGRESS_FILE") is { } file)
        {
            _progress = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }
    }

    public int Rank { get; }
    public int Size { get; }
    public int Attempt { get; }
    public int Port { get; }
    public IReadOnlyList<string> Addresses { get; } = ["127.0.0.1"];

    public void Say(string line) => _progress?.Write(Encoding.UTF8.GetBytes(line + "\n"));

    public void Dispose() => _progress?.Dispose();

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
